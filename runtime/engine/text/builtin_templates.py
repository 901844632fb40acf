"""Chat templates for Llama models whose folders carry none. Text only.

Formats: https://www.llama.com/docs/model-cards-and-prompt-formats
"""

from __future__ import annotations

LLAMA_2_TEMPLATE = """\
{%- if messages[0].role == 'system' -%}
    {%- set system = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set system = '' -%}
    {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
    {%- if message.role != ('assistant' if loop.index0 % 2 else 'user') -%}
        {{- raise_exception('After an optional system message, user and assistant messages must alternate.') -}}
    {%- endif -%}
    {%- if message.role == 'user' -%}
        {{- bos_token + '[INST] ' + ((system if loop.first else '') + message.content).strip() + ' [/INST]' -}}
    {%- else -%}
        {{- ' ' + message.content.strip() + ' ' + eos_token -}}
    {%- endif -%}
{%- endfor -%}
"""
_HEADER_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
    {{- 'HEADER_START' + ('ipython' if message.role == 'tool' else message.role) + 'HEADER_END\n\n' -}}
    {{- message.content.strip() + 'END_OF_TURN' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- 'HEADER_STARTassistantHEADER_END\n\n' -}}
{%- endif -%}
"""


def _with_headers(start: str, end: str, end_of_turn: str) -> str:
    spelt = _HEADER_TEMPLATE.replace("HEADER_START", start).replace("HEADER_END", end)
    return spelt.replace("END_OF_TURN", end_of_turn)


LLAMA_3_TEMPLATE = _with_headers("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
LLAMA_4_TEMPLATE = _with_headers("<|header_start|>", "<|header_end|>", "<|eot|>")
