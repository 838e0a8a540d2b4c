"""Raise the version: `python tools/bump.py 0.2.0`, or `make bump VERSION=0.2.0`.

It stands in settings.ini alone. nbdev's own command knows another home for it, and
would write a wrong one."""
import re
import sys
from pathlib import Path

SETTINGS = Path(__file__).resolve().parent.parent/'settings.ini'
LINE = re.compile(r'^version *= *(\S+) *$', re.M)


def parts(
    version: str,  # such as 0.1.0
) -> tuple[int, ...]:
    "The three numbers of a version; SystemExit where it is none"
    if not re.fullmatch(r'(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}', version):
        raise SystemExit(f'{version!r} is no version: give three numbers, such as '
                         '`make bump VERSION=0.2.0`')
    return tuple(map(int, version.split('.')))


def bump(
    version: str,     # the new one; must be higher than the old one
    path: Path,       # a settings.ini
) -> str:
    "Write the version into the file and change nothing else; what the old one was"
    text = path.read_text(encoding='utf-8')
    found = LINE.findall(text)
    if len(found) != 1:
        raise SystemExit(f'{path} should have one line `version = ...`, '
                         f'and has {len(found)}')
    if parts(version) <= parts(found[0]):
        raise SystemExit(f'the version is {found[0]}, and {version} is not higher')
    path.write_text(LINE.sub(f'version = {version}', text), encoding='utf-8')
    return found[0]


if __name__ == '__main__':
    if len(sys.argv) != 2: sys.exit('which version? `make bump VERSION=0.2.0`')
    print(f'{bump(sys.argv[1], SETTINGS)} became {sys.argv[1]}: say in CHANGELOG.md '
          f'what changed, commit, `git tag v{sys.argv[1]}`')
