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

class BuildWithLessons(build_py):
    "A built package holds the notebooks in `lessons`; an editable one finds them in `nbs`"
    def run(self):
        super().run()
        if self.editable_mode: return
        lessons = Path(self.build_lib)/name/'lessons'
        shutil.rmtree(lessons, ignore_errors=True)
        shutil.copytree(here/'nbs', lessons, ignore=lambda folder,names: [n for n in names if n[0] in '._' or Path(folder, n).is_file() and not n.endswith(('.ipynb', '.png'))])

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
    python_requires=f">={about['min_python']}",
    packages=find_packages(include=[name, f'{name}.*']),
    package_data={name: ['mnist/*', 'py.typed']},
    install_requires=about['requirements'].split(),
    extras_require={extra: about[f'{extra}_requirements'].split() for extra in ('lessons', 'dev')},
    entry_points={'console_scripts': [f'{name}={name}.cli:main']},
)
