"""A run as JUnit's XML, which pipelines show as tests: a suite for the gates, and one for each function.

https://github.com/testmoapp/junitxml describes what readers agree on. A case fails where a failed gate names it; one
without a score is an error.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from llama_cli.evaluating.figures import number
from llama_cli.evaluating.report import Report
from llama_cli.evaluating.run import Row

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has not (https://www.w3.org/TR/xml/#charsets)."""


def junit(report: Report) -> str:
    root = ElementTree.Element("testsuites", name=_fit(report.run.name))
    gates = ElementTree.SubElement(root, "testsuite", name="gates")
    for gate in report.gates:
        case = _case(gates, " ".join(filter(None, (gate.kind, gate.function))), report.run.name)
        if not gate.passed:
            _failed(case, "failure", gate.message, "\n".join(row.name for row in gate.rows))
    for function in report.run.functions:
        suite = ElementTree.SubElement(root, "testsuite", name=_fit(function))
        why = {
            row.index: gate.message
            for gate in report.gates
            for row in gate.rows
            if gate.function == function and not gate.passed
        }
        for row in report.run.rows:
            _add(suite, report, row, function, why.get(row.index))
    for each in (root, *root):
        cases = each.findall(".//testcase")
        each.set("tests", str(len(cases)))
        each.set("failures", str(sum(case.find("failure") is not None for case in cases)))
        each.set("errors", str(sum(case.find("error") is not None for case in cases)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(suite: ElementTree.Element, report: Report, row: Row, function: str, why: str | None) -> None:
    score = row.scores[function]
    case = _case(suite, row.name, ".".join(filter(None, (report.run.name, row.column(report.by)))))
    said = f"asked: {row.asked}\nexpected: {row.expected or ''}\nanswered: {row.answer or ''}"
    if score.value is None:
        _failed(case, "error", score.error or "", said)
        return
    shown = number(score.value) if isinstance(score.value, float) else score.value
    if why is not None:
        _failed(case, "failure", f"score {shown}; {why}", said)
    ElementTree.SubElement(case, "system-out").text = _fit(f"score: {shown}\n{score.reason or ''}".rstrip())


def _case(suite: ElementTree.Element, name: str, class_name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", name=_fit(name), classname=_fit(class_name))


def _failed(case: ElementTree.Element, kind: str, message: str, said: str) -> None:
    ElementTree.SubElement(case, kind, message=_fit(message)).text = _fit(said)


def _fit(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
