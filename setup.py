"Packaging: every fact about the package comes from settings.ini."
import shutil
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

here = Path(__file__).parent
config = ConfigParser()
config.read(here/'settings.ini', encoding='utf-8')
about = config['DEFAULT']
name = about['lib_name']


def not_for_readers(folder: str, names: list[str]) -> list[str]:
    "What lies about among the notebooks: all but them, their pictures and folders"
    kinds = '.ipynb', '.png', '.svg', '.xlsx', '.html'

    def wanted(path: Path) -> bool:
        if path.name[0] in '._': return False
        return path.is_dir() or path.suffix in kinds
    return [name for name in names if not wanted(Path(folder, name))]


class BuildWithLessons(build_py):
    "A built package holds the notebooks in `lessons`; an editable one finds `nbs`"
    def run(self):
        super().run()
        if self.editable_mode: return
        lessons = Path(self.build_lib)/name/'lessons'
        shutil.rmtree(lessons, ignore_errors=True)
        shutil.copytree(here/'nbs', lessons, ignore=not_for_readers)

    def find_package_modules(self, package, package_dir):
        "All modules but nbdev's index, which nobody reads"
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if module[1] != '_modidx']


setup(
    cmdclass={'build_py': BuildWithLessons},
    name=name,
    version=about['version'],
    description=about['description'],
    long_description=(here/'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author=about['author'],
    license=about['license'],
    keywords=about['keywords'].split(),
    project_urls={'Source': about['url']} if about['url'] else {},
    python_requires=f">={about['min_python']}",
    packages=find_packages(include=[name, f'{name}.*']),
    package_data={name: ['mnist/*', 'py.typed']},
    install_requires=about['requirements'].split(),
    extras_require={extra: about[f'{extra}_requirements'].split()
                    for extra in ('lessons', 'dev')},
    entry_points={'console_scripts': [f'{name}={name}.cli:main']},
)
