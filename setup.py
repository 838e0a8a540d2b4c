"Packaging: every fact about the package comes from settings.ini."
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

here = Path(__file__).parent
config = ConfigParser()
config.read(here/'settings.ini', encoding='utf-8')
about = config['DEFAULT']
name = about['lib_name']

setup(
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
    extras_require={'dev': about['dev_requirements'].split()},
    entry_points={'console_scripts': [f'{name}={name}.cli:main']},
)
