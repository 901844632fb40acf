"""The table of resources: what a name means, what is ambiguous, what stays when listings change."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from runtime.access import ANYBODY, EVERYBODY, Caller, User
from runtime.apis._request import Empty, Response
from runtime.apis._resources import Resource
from runtime.apis.models import MODEL
from runtime.errors import Conflict, NotFound, RequestError
from runtime.routing import seen_lists
from runtime.routing.declared import ResourceAlias
from runtime.routing.entry import Entry
from runtime.routing.table import ResourceTable


def keep(table: ResourceTable, entry: Entry) -> None:
    if table.accepts(entry, EVERYBODY):
        table.add(entry)


def entry(name: str, provider: str, resource: str | None = None, **facts: Any) -> Entry:
    return Entry(id=name, provider_id=provider, provider_resource_id=resource or name, created=1, **facts)


def listed(provider: str, *names: str) -> list[Entry]:
    return [entry(f"{provider}/{name}", provider, name) for name in names]


@pytest.fixture
def table() -> ResourceTable:
    made = ResourceTable(MODEL)
    made.set_providers(["groq", "llama"])
    made.replace_listed("groq", listed("groq", "scout", "whisper"))
    made.replace_listed("llama", listed("llama", "scout", "maverick"))
    return made


def found(table: ResourceTable, name: str) -> str | None:
    entry = table.find(name, EVERYBODY)
    return entry.full_id if entry else None


def test_a_full_id_and_an_unambiguous_bare_name_mean_the_same(table: ResourceTable) -> None:
    assert found(table, "llama/maverick") == found(table, "maverick") == "llama/maverick"


def test_a_bare_name_of_several_providers_is_refused_with_the_candidates(table: ResourceTable) -> None:
    with pytest.raises(RequestError) as caught:
        table.find("scout", EVERYBODY)
    assert caught.value.hint == "ask for one of `groq/scout`, `llama/scout`"
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "model_ambiguous", "model")


def test_an_alias_settles_what_is_ambiguous(table: ResourceTable) -> None:
    keep(table, entry("scout", "llama", source="registered"))
    assert found(table, "scout") == "llama/scout"


def test_an_alias_of_the_same_resource_does_not_make_it_ambiguous(table: ResourceTable) -> None:
    keep(table, entry("mine", "llama", "maverick", source="registered"))
    keep(table, entry("yours", "llama", "maverick", source="registered"))
    assert found(table, "maverick") == found(table, "mine") == found(table, "yours") == "llama/maverick"


def test_a_model_that_nobody_lists_is_served_under_its_full_id_and_bare_name_too(table: ResourceTable) -> None:
    keep(table, entry("mine", "groq", "hidden", source="config"))
    assert found(table, "groq/hidden") == found(table, "hidden") == "groq/hidden"


def test_a_name_that_means_nothing_is_none(table: ResourceTable) -> None:
    assert table.find("gpt", EVERYBODY) is None


@pytest.mark.parametrize(
    ("name", "expected"), [("groq/a/b", "groq/a/b"), ("nobody/a", None), ("groq/", None), ("groq", None)]
)
def test_a_provider_s_prefix_is_its_word(table: ResourceTable, name: str, expected: str | None) -> None:
    split = table.split(name)
    assert (split.full_id if split else None) == expected


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("maverik", "did you mean `llama/maverick`?"),
        ("xxxxxx", "list all with GET /v1/models, such as `groq/scout`, `groq/whisper`, `llama/scout`"),
    ],
)
def test_an_unknown_name_is_answered_with_those_like_it(table: ResourceTable, name: str, hint: str) -> None:
    error = table.unknown(name, EVERYBODY)
    assert (error.status, error.hint, error.code) == (404, hint, "model_not_found")


def test_entries_come_by_provider_then_origin_then_as_listed(table: ResourceTable) -> None:
    keep(table, entry("z", "groq", "own", source="registered"))
    keep(table, entry("y", "groq", "other", source="config"))
    assert [one.id for one in table.entries(EVERYBODY)] == [
        *("y", "z", "groq/scout", "groq/whisper"),
        *("llama/scout", "llama/maverick"),
    ]


def test_the_names_of_a_resource_stand_together_and_its_own_name_comes_first(table: ResourceTable) -> None:
    keep(table, entry("a-registered", "groq", "whisper", source="registered"))
    keep(table, entry("b-configured", "groq", "whisper", source="config"))
    keep(table, entry("maverick", "llama", "maverick", source="config"))
    table.declare(
        ResourceAlias(name=name, target=target)
        for name, target in (
            *(("a-listed", "groq/scout"), ("a-configured", "b-configured"), ("a-bare", "maverick")),
            *(("a-split", "groq/hidden"), ("a-alias", "a-listed")),
        )
    )
    assert [one.id for one in table.entries(EVERYBODY)] == [
        *("groq/whisper", "b-configured", "a-registered", "a-configured"),  # the run config's choice comes first
        *("groq/scout", "a-alias", "a-listed", "a-split"),  # and an alias takes nothing there
        *("maverick", "llama/maverick", "a-bare", "llama/scout"),
    ]


@pytest.mark.parametrize("name", ["a-listed", "groq/scout"])
def test_what_is_put_first_leaves_the_others_in_their_order(table: ResourceTable, name: str) -> None:
    table.declare([ResourceAlias(name="a-listed", target="groq/scout")])
    before = [one.id for one in table.entries(EVERYBODY)]
    table.put_first(name)
    assert [one.id for one in table.entries(EVERYBODY)] == [name, *(each for each in before if each != name)]


def test_a_listing_replaces_the_one_before(table: ResourceTable) -> None:
    table.replace_listed("groq", listed("groq", "new"))
    assert found(table, "groq/new") == "groq/new"
    assert found(table, "groq/scout") is None
    assert found(table, "scout") == "llama/scout"  # no longer ambiguous


def test_a_listing_that_says_the_same_changes_nothing(table: ResourceTable) -> None:
    before, first = table.entries(EVERYBODY), table.find("groq/scout", EVERYBODY)
    table.replace_listed(
        "groq",
        [
            Entry(id=one.id, provider_id="groq", provider_resource_id=one.provider_resource_id, created=99)
            for one in listed("groq", "scout", "whisper")
        ],
    )
    assert table.entries(EVERYBODY) is before
    assert table.find("groq/scout", EVERYBODY) is first  # with the time it was first listed


def test_a_listing_with_other_facts_counts(table: ResourceTable) -> None:
    before = table.entries(EVERYBODY)
    table.replace_listed("groq", [entry("groq/scout", "groq", "scout", metadata={"context_length": 8})])
    assert table.entries(EVERYBODY) is not before


def test_a_name_that_is_taken_is_a_conflict(table: ResourceTable) -> None:
    keep(table, entry("mine", "llama", "maverick", source="registered"))
    with pytest.raises(Conflict) as caught:
        keep(table, entry("mine", "groq", "scout", source="registered"))
    assert (caught.value.status, caught.value.param) == (409, "model_id")
    assert found(table, "mine") == "llama/maverick"


def test_what_a_provider_lists_cannot_be_taken_over(table: ResourceTable) -> None:
    with pytest.raises(Conflict, match="`groq/scout` is already listed by provider `groq`"):
        keep(table, entry("groq/scout", "llama", "scout", source="registered"))


def test_registering_what_is_listed_adds_facts(table: ResourceTable) -> None:
    keep(table, entry("groq/scout", "groq", "scout", source="registered", metadata={"note": 1}))
    assert [one.metadata for one in table.entries(EVERYBODY) if one.id == "groq/scout"] == [{"note": 1}]


def test_the_run_config_takes_the_name_of_a_registration(table: ResourceTable) -> None:
    keep(table, entry("mine", "llama", "maverick", source="registered"))
    keep(table, entry("mine", "groq", "scout", source="config"))
    assert found(table, "mine") == "groq/scout"


def test_two_entries_of_the_run_config_under_one_name_are_a_conflict(table: ResourceTable) -> None:
    keep(table, entry("mine", "llama", "maverick", source="config"))
    with pytest.raises(Conflict):
        keep(table, entry("mine", "groq", "scout", source="config"))


def test_only_registrations_can_be_forgotten(table: ResourceTable) -> None:
    keep(table, entry("fixed", "llama", "maverick", source="config"))
    keep(table, entry("mine", "llama", "maverick", source="registered"))
    table.remove(table.registered("mine", EVERYBODY).id)
    assert table.find("mine", EVERYBODY) is None
    table.declare([ResourceAlias(name="alias", target="fixed")])
    for name, where in (
        *(("fixed", "the run config"), ("alias", "`--alias`")),
        ("groq/scout", "provider `groq`, which lists it"),
    ):
        with pytest.raises(Conflict, match=f"comes from {where}"):
            table.remove(table.registered(name, EVERYBODY).id)


def test_entries_and_lookups_agree(table: ResourceTable) -> None:
    keep(table, entry("mine", "groq", "hidden", source="config"))
    assert all(table.find(one.id, EVERYBODY) == one for one in table.entries(EVERYBODY))


def test_whether_a_provider_lists_anything(table: ResourceTable) -> None:
    keep(table, entry("mine", "other", "hidden", source="config"))
    assert [table.lists(provider) for provider in ("groq", "other", "nobody")] == [True, False, False]
    table.replace_listed("groq", [])
    assert not table.lists("groq")


def test_a_name_that_begins_with_another_provider_s_id_is_refused(table: ResourceTable) -> None:
    with pytest.raises(Conflict, match="has a name that belongs to provider `groq`") as caught:
        keep(table, entry("groq/better", "llama", "scout", source="registered"))
    assert (caught.value.status, caught.value.param) == (409, "model_id")
    keep(table, entry("groq/better", "groq", "scout", source="registered"))
    keep(table, entry("nobody/better", "groq", "scout", source="registered"))
    keep(table, entry("llama/best", "groq", "scout", source="config"))  # whoever writes the run config may
    assert found(table, "groq/better") == found(table, "nobody/better") == found(table, "llama/best") == "groq/scout"


def test_many_are_kept_in_one_step_and_those_refused_come_back(table: ResourceTable) -> None:
    before = table.entries(EVERYBODY)
    good = [entry(f"m{n}", "groq", "scout", source="registered") for n in range(1000)]
    bad = [
        entry("m7", "llama", "scout", source="registered"),
        entry("groq/whisper", "llama", "scout", source="registered"),
    ]
    refused = table.add_all([*good, *bad])
    assert len(table.entries(EVERYBODY)) == len(before) + 1000
    assert [(one.id, type(why)) for one, why in refused] == [("m7", Conflict), ("groq/whisper", Conflict)]
    assert found(table, "m999") == found(table, "m7") == "groq/scout"


def test_words_come_from_whoever_made_the_table() -> None:
    body = Resource(
        kind="body",
        served_by="b",
        id_field="body_id",
        config_key="bodies",
        configured=Empty,
        answer=lambda one: Response(),
    )
    table = ResourceTable(body)
    assert table.unknown("x", EVERYBODY).hint == "list all with GET /v1/bodies"
    keep(table, entry("x", "p", source="config"))
    with pytest.raises(Conflict) as caught:
        table.remove(table.registered("x", EVERYBODY).id)
    assert caught.value.hint == "change it there; only registered bodies can be removed"


def test_whatever_could_change_an_answer_makes_a_new_list(table: ResourceTable) -> None:
    mine = entry("mine", "llama", "maverick", source="registered")
    for change in (
        lambda: table.set_providers(["llama", "groq"]), lambda: keep(table, mine), lambda: table.remove("mine"),
        lambda: table.add(mine), lambda: table.replace_listed("groq", []),
    ):  # fmt: skip
        before = table.entries(EVERYBODY)
        change()
        assert table.entries(EVERYBODY) is not before


def test_whoever_sees_the_same_gets_the_same_list(table: ResourceTable) -> None:
    table.add_all([owned("anns", "groq", "quiet", ANN), owned("bobs", "groq", "quiet", BOB)])
    ann = table.entries(ANN)
    assert table.entries(replace(ANN)) is ann
    assert table.entries(BOB) is not ann and table.entries(EVERYBODY) is not ann
    moved = replace(ANN, attributes={"teams": ("elsewhere",)})
    assert table.entries(moved) is not ann and table.entries(ANN) is ann
    table.remove("bobs")
    assert table.entries(ANN) is not ann


def test_of_few_callers_the_list_is_remembered(table: ResourceTable) -> None:
    table.add_all([owned("anns", "groq", "quiet", ANN)])
    for number in range(100):
        assert "anns" not in [one.id for one in table.entries(User(principal=f"u{number}"))]
    assert len(table._lists._lists) == seen_lists.MOST
    assert "anns" in [one.id for one in table.entries(ANN)]


def test_many_unknown_names_among_many_known_ones_cost_little(table: ResourceTable) -> None:
    """Counted in time of this thread, so that a busy machine changes nothing."""
    table.replace_listed("groq", listed("groq", *(f"some-model-{number}-instruct" for number in range(10_000))))
    assert "did you mean" in str(table.unknown("some-model-7-instrct", EVERYBODY).hint)
    began = time.thread_time()
    hints = {table.unknown(f"some-model-{number}-instrct", EVERYBODY).hint for number in range(1000)}
    assert time.thread_time() - began < 2.0  # without a pause, a thousand times 10 ms
    assert any(str(hint).startswith("list all with GET /v1/models") for hint in hints)


def test_among_a_few_names_those_like_an_unknown_one_are_always_told(table: ResourceTable) -> None:
    assert {"did you mean" in str(table.unknown("maverik", EVERYBODY).hint) for _ in range(100)} == {True}


ANN, BOB = User(principal="ann"), User(principal="bob")


def owned(name: str, provider: str, resource: str, owner: User | None) -> Entry:
    return entry(name, provider, resource, source="registered", owner=owner)


def test_what_one_user_registers_takes_no_name_from_another(table: ResourceTable) -> None:
    table.add_all([owned("maverick", "groq", "whisper", ANN)])
    for user, meaning in ((ANN, "groq/whisper"), (BOB, "llama/maverick")):
        entry = table.find("maverick", user)
        assert entry is not None and entry.full_id == meaning


@pytest.mark.parametrize("name", ["groq/quiet", "quiet"])
def test_a_resource_that_two_users_registered_is_found_by_each_under_its_own_name(
    table: ResourceTable, name: str
) -> None:
    table.add_all([owned("anns", "groq", "quiet", ANN), owned("bobs", "groq", "quiet", BOB)])
    for user, own in ((ANN, "anns"), (BOB, "bobs")):
        entry = table.find(name, user)
        assert entry is not None and entry.id == own
    assert table.find(name, User(principal="cat")) is None


def test_a_bare_name_is_ambiguous_only_to_whoever_sees_several(table: ResourceTable) -> None:
    table.add_all([owned("anns", "groq", "maverick", ANN)])
    entry = table.find("maverick", BOB)
    assert entry is not None and entry.full_id == "llama/maverick"
    with pytest.raises(RequestError):
        table.find("maverick", ANN)


def test_an_alias_means_what_everybody_may_see(table: ResourceTable) -> None:
    table.declare([ResourceAlias(name="fast", target="maverick"), ResourceAlias(name="hers", target="anns")])
    table.add_all([owned("maverick", "groq", "whisper", ANN), owned("anns", "groq", "whisper", ANN)])
    for user in (ANN, BOB):
        entry = table.find("fast", user)
        assert entry is not None and entry.full_id == "llama/maverick"
    assert table.find("hers", ANN) is not None
    assert table.find("hers", BOB) is None


def test_who_may_not_see_a_registration_removes_another_of_that_name(table: ResourceTable) -> None:
    table.add_all([owned("anns", "groq", "quiet", ANN), owned("bobs", "groq", "quiet", BOB)])
    assert table.registered("quiet", BOB).id == "bobs"
    with pytest.raises(NotFound):
        table.registered("quiet", User(principal="cat"))


def test_a_bare_name_never_means_what_another_user_registered_under_its_full_name(table: ResourceTable) -> None:
    table.add_all([entry("mine", "groq", "quiet", source="config"), owned("groq/quiet", "groq", "loud", ANN)])
    for user in (ANN, BOB):
        model = table.find("quiet", user)
        assert model is not None and (model.id, model.owner) == ("mine", None)


@pytest.mark.parametrize("seed", range(20))
def test_what_names_mean_does_not_depend_on_what_was_there_before(seed: int) -> None:
    """Changes at random, asked about in between; a table that was made at once from what is left says the same."""
    made = random.Random(seed)
    table = ResourceTable(MODEL)
    table.set_providers("pq")
    names = ["x", "y", "p/x", "p/y", "q/x", "q/p/x", "p/p/x", "v"]
    lists: dict[str, list[Entry]] = {}
    for _ in range(60):
        provider, resource, name = made.choice("pq"), made.choice(("x", "y", "p/x")), made.choice(names)
        match made.choice(("keep", "keep", "remove", "list")):
            case "list":
                lists[provider] = listed(provider, *made.sample(("x", "y", "p/x"), made.randint(0, 3)))
                table.replace_listed(provider, lists[provider])
            case "remove" if name in table.names.kept:
                table.remove(name)
            case _:
                with suppress(Conflict):
                    keep(table, owned(name, provider, resource, made.choice((None, ANN, BOB))))
        anew = ResourceTable(MODEL)
        anew.set_providers("pq")
        for lister, entries in lists.items():
            anew.replace_listed(lister, entries)
        for one in table.names.kept.values():
            anew.add(one)
        for asked in names:
            for user in (ANN, BOB, ANYBODY):
                assert meaning(table, asked, user) == meaning(anew, asked, user), (asked, user)


def meaning(table: ResourceTable, name: str, user: Caller) -> str | None:
    try:
        model = table.find(name, user)
    except RequestError as error:
        return error.words
    return None if model is None else f"{model.id} is {model.full_id}"


def test_a_registration_costs_the_same_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in looks at entries."""
    table = ResourceTable(MODEL)
    table.set_providers(["groq"])
    table.declare([ResourceAlias(name="fast", target="m-0")])
    looks, full_id = 0, Entry.full_id.fget  # type: ignore[attr-defined]  # of a property

    def looked_at(one: Entry) -> str:
        nonlocal looks
        looks += 1
        return str(full_id(one))

    monkeypatch.setattr(Entry, "full_id", property(looked_at))
    costs = []
    for number in range(1000):
        before = looks
        keep(table, owned(f"m-{number}", "groq", f"r-{number}", ANN))
        assert table.find(f"r-{number}", ANN) is not None
        costs.append(looks - before)
    assert costs[-1] == costs[1]
