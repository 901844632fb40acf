"""`additional_pip_packages` of older systems: in whichever file they stand, the distribution needs them."""

from __future__ import annotations

import pytest

from runtime import discovery
from runtime.config.loading import parse_run_config
from runtime.config.older.build_config import parse_build_config
from runtime.config.rendering import render_template
from runtime.config.template import Template, find_templates_dir
from runtime.errors import ConfigInvalid
from runtime.stack.plan import plan

PACKAGES = ("aiosqlite", "sqlalchemy[asyncio]", "asyncpg>=0.29; python_version > '3'", "chardet --no-deps")


def test_a_run_config_names_packages_beside_those_of_its_providers() -> None:
    listed = "".join(f'- "{package}"\n' for package in PACKAGES)
    run = parse_run_config(f"distro_name: x\nadditional_pip_packages:\n{listed}", env={})
    assert set(PACKAGES) <= set(plan(run).packages)


@pytest.mark.parametrize("within", ["", "  "])
def test_those_of_a_build_config_reach_the_run_yaml_that_is_made_of_it(within: str) -> None:
    listed = "".join(f'{within}- "{package}"\n' for package in PACKAGES)
    text = f"distribution_spec:\n  providers: {{}}\n{within}additional_pip_packages:\n{listed}"
    asked = parse_build_config(text)
    template = Template(name="x", summary="", providers={}, additional_pip_packages=asked.additional_pip_packages)
    rendered = render_template(template, specs=discovery.built_in().specs, folder=find_templates_dir())
    assert set(PACKAGES) <= set(plan(parse_run_config(rendered, env={})).packages)


@pytest.mark.parametrize(
    ("value", "message"), [("aiosqlite", "expected a list of requirements"), ("[[a]]", "expected a requirement")]
)
def test_what_is_no_list_of_requirements_is_said(value: str, message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        parse_build_config(f"distribution_spec: {{providers: {{}}}}\nadditional_pip_packages: {value}\n")
    with pytest.raises(ConfigInvalid, match="additional_pip_packages"):
        parse_run_config(f"distro_name: x\nadditional_pip_packages: {value}\n", env={})


def test_what_is_no_requirement_is_a_problem_of_its_line() -> None:
    text = 'distro_name: x\nadditional_pip_packages:\n- aiosqlite\n- "a b c"\n- "torch >>= 2"\n'
    with pytest.raises(ConfigInvalid) as raised:
        parse_run_config(text, env={}, to_build=True)
    assert [(problem.path, problem.line) for problem in raised.value.problems] == [
        ("additional_pip_packages[1]", 4),
        ("additional_pip_packages[2]", 5),
    ]
    assert raised.value.problems[0].message.startswith("`a b c` is not a requirement; write `name`")


def test_a_password_in_an_address_is_not_told() -> None:
    text = 'distro_name: x\nadditional_pip_packages: ["firefly @@ https://me:swordfish@app.example/f.whl"]\n'
    with pytest.raises(ConfigInvalid, match="`firefly @@ https://") as raised:
        parse_run_config(text, env={}, to_build=True)
    assert "swordfish" not in raised.value.message
