"""A widget as HTML that needs no kernel.

A reader who does not run the notebook sees this, on the site for example. There
`site/docs/widgets.js` moves those that carry their states, see engine/92_show."""
import html
import math
from collections.abc import Iterator

VIEW = 'application/vnd.jupyter.widget-view+json'
STATE = 'application/vnd.jupyter.widget-state+json'
NOTE = ('<small>A widget as it stood after the run; run the cell in Jupyter to use it.'
        '</small>')
ROW = 'display:flex;flex-wrap:wrap;gap:.3em 1em;flex-direction'


def escaped(value: object) -> str:
    "A value as text on a page"
    return html.escape(str(value))


def picture(data: str, kind: str = 'png') -> str:
    "A picture that stands in the page itself"
    return (f'<img alt="what the widget shows at first" '
            f'src="data:image/{kind};base64,{data}">')


def shown_outputs(outputs: list[dict]) -> Iterator[str]:
    "What an `Output` widget caught"
    for output in outputs:
        data = output.get('data', {})
        if 'text' in output: yield f'<pre>{escaped("".join(output["text"]))}</pre>'
        elif 'image/png' in data: yield picture(''.join(data['image/png'].split()))
        elif 'text/html' in data: yield ''.join(data['text/html'])
        elif 'text/plain' in data: yield f'<pre>{escaped(data["text/plain"])}</pre>'


def is_hidden(states: dict, state: dict) -> bool:
    "Did the notebook hide the widget?"
    name = str(state.get('layout', '')).removeprefix('IPY_MODEL_')
    layout = states.get(name, {}).get('state', {})
    return layout.get('display') == 'none' or layout.get('visibility') == 'hidden'


def box(states: dict, kind: str, state: dict) -> str:
    "Widgets side by side, or one below the other"
    inside = ''.join(show(states, child) for child in state['children'])
    direction = 'row' if kind == 'HBox' else 'column'
    return f'<div style="{ROW}:{direction}">{inside}</div>' if inside else ''


def slider(kind: str, state: dict, label: str) -> str:
    "A slider at its value"
    value = position = state['value']
    if kind == 'FloatLogSlider': position = math.log(value, state['base'])
    return (f'<label>{label} <input type="range" disabled min="{state["min"]}" '
            f'max="{state["max"]}" step="{state.get("step", "any")}" '
            f'value="{position}"> <output>{value:.4g}</output></label>')


def image(model: dict, state: dict) -> str:
    "An `Image` widget, whose bytes stand beside its state"
    buffers = model.get('buffers', ())
    data = next((b['data'] for b in buffers if b['path'] == ['value']), '')
    return picture(data, state.get('format', 'png'))


def option(name: str, chosen: bool) -> str:
    "One line of a drop-down list"
    return f'<option{" selected" if chosen else ""}>{escaped(name)}</option>'


def leaf(model: dict, kind: str, state: dict) -> str:
    "A widget that holds no others"
    label, value = escaped(state.get('description') or ''), state.get('value')
    if kind == 'Button': return f'<button disabled>{label}</button>'
    if kind == 'HTML': return f'<div>{label} {value}</div>'
    if kind == 'Label': return f'<div>{label} {escaped(value)}</div>'
    if kind == 'Output': return ''.join(shown_outputs(state.get('outputs', [])))
    if kind == 'Image': return image(model, state)
    if kind == 'Checkbox':
        checked = ' checked' if value else ''
        return f'<label><input type="checkbox" disabled{checked}> {label}</label>'
    if 'Progress' in kind:
        return f'<progress max="{state["max"]}" value="{value}"></progress>'
    if 'Slider' in kind and isinstance(value, (int, float)):
        return slider(kind, state, label)
    if '_options_labels' in state and isinstance(state.get('index'), int):
        options = ''.join(option(name, i == state['index'])
                          for i, name in enumerate(state['_options_labels']))
        return f'<label>{label} <select disabled>{options}</select></label>'
    return f'<div>{label} {escaped(value)}</div>' if label or value else ''


def show(states: dict, model_id: str) -> str:
    "A widget and what stands in it, as HTML; '' for one that nobody sees"
    model = states.get(model_id.removeprefix('IPY_MODEL_'))
    if model is None: return ''
    kind, state = model['model_name'].removesuffix('Model'), model['state']
    if is_hidden(states, state): return ''
    if kind.endswith('Box') and 'children' in state: return box(states, kind, state)
    return leaf(model, kind, state)


def keep_static(nb) -> None:
    "Give each widget in an executed notebook its static form, drop those nobody sees"
    states = nb.metadata.pop('widgets', {}).get(STATE, {}).get('state', {})
    for cell in nb.cells:
        kept = []
        for output in cell.get('outputs', ()):
            if VIEW in output.get('data', {}):
                static = show(states, output['data'][VIEW]['model_id'])
                # nobody sees a finished progress bar any more
                if not static or '<progress' in static: continue
                states_of_it = output['data'].get('text/html', '')
                page = f'{static}{NOTE}{states_of_it}'
                output['data']['text/html'] = f'<div class="widget-static">{page}</div>'
            kept.append(output)
        if 'outputs' in cell: cell.outputs = kept
