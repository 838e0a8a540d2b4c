"""A widget as HTML that needs no kernel: what a reader of the notebook sees who does not run it, on the site for example."""
import html

def _text(value): return html.escape(str(value))
def _outputs(outputs):
    for output in outputs:
        data = output.get('data', {})
        if 'text' in output: yield f'<pre>{_text("".join(output["text"]))}</pre>'
        elif 'image/png' in data: yield f'<img alt="what the widget shows at first" src="data:image/png;base64,{"".join(data["image/png"].split())}">'
        elif 'text/html' in data: yield ''.join(data['text/html'])
        elif 'text/plain' in data: yield f'<pre>{_text("".join(data["text/plain"]))}</pre>'

def _hidden(states, state):
    layout = states.get(str(state.get('layout', '')).removeprefix('IPY_MODEL_'), {}).get('state', {})
    return layout.get('display')=='none' or layout.get('visibility')=='hidden'

def _show(states, model_id):
    model = states.get(model_id.removeprefix('IPY_MODEL_'))
    if model is None: return ''
    kind,state = model['model_name'].removesuffix('Model'),model['state']
    if _hidden(states, state): return ''
    if kind.endswith('Box') and 'children' in state:
        inside = ''.join(_show(states, child) for child in state['children'])
        return inside and f'<div style="display:flex;flex-wrap:wrap;gap:.3em 1em;flex-direction:{"row" if kind=="HBox" else "column"}">{inside}</div>'
    label,value = _text(state.get('description') or ''),state.get('value')
    if kind=='Button': return f'<button disabled>{label}</button>'
    if kind=='HTML': return f'<div>{label} {value}</div>'
    if kind=='Label': return f'<div>{label} {_text(value)}</div>'
    if kind=='Checkbox': return f'<label><input type="checkbox" disabled{" checked" if value else ""}> {label}</label>'
    if 'Progress' in kind: return f'<progress max="{state["max"]}" value="{value}"></progress>'
    if 'Slider' in kind and isinstance(value, (int, float)):
        import math
        position = math.log(value, state['base']) if kind=='FloatLogSlider' else value
        return f'<label>{label} <input type="range" disabled min="{state["min"]}" max="{state["max"]}" step="any" value="{position}"> {value:.4g}</label>'
    if '_options_labels' in state and isinstance(state.get('index'), int): return f'<label>{label} <select disabled><option>{_text(state["_options_labels"][state["index"]])}</option></select></label>'
    if kind=='Output': return ''.join(_outputs(state.get('outputs', ())))
    if kind=='Image':
        data = next((b['data'] for b in model.get('buffers', ()) if b['path']==['value']), '')
        return f'<img alt="what the widget shows at first" src="data:image/{state.get("format", "png")};base64,{data}">'
    return f'<div>{label} {_text(value)}</div>' if label or value else ''

def keep_static(nb):
    "Give every widget in the outputs of an executed notebook its static form, leave out those that nobody sees any more"
    kind = 'application/vnd.jupyter.widget-view+json'
    states = nb.metadata.pop('widgets', {}).get('application/vnd.jupyter.widget-state+json', {}).get('state', {})
    for cell in nb.cells:
        kept = []
        for output in cell.get('outputs', ()):
            if kind in output.get('data', {}):
                static = _show(states, output['data'][kind]['model_id'])
                if not static or '<progress' in static: continue     # nobody sees a finished progress bar any more
                output['data']['text/html'] = f'<div class="widget-static">{static}<small>A widget as it stood after the run; run the cell in Jupyter to use it.</small></div>'
            kept.append(output)
        if 'outputs' in cell: cell.outputs = kept
