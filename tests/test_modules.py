"""Every module has a test file of its name, or is listed here with the file that tests it and the reason."""

from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = ROOT / "py" / "takeback"
TESTS: Final = ROOT / "tests"

ELSEWHERE: Final = {
    "gate/feed/test_snapshot_import.py": (
        "a cold start is tried as the platform does it",
        ["gate/feed/follower", "gate/feed/snapshot_import"],
    ),
    "gate/test_commands.py": ("the command line is tried by its commands", ["cli"]),
    "integrations/examples/test_examples.py": (
        "each example runs in its framework",
        [f"integrations/examples/{name}_uploads" for name in ("fastapi", "flask", "starlette")],
    ),
    "integrations/django/test_django.py": (
        "the app is tried by a site that uses it",
        [
            *(f"integrations/django/{name}" for name in ("apps", "asking", "checks", "signals")),
            "integrations/django/management/commands/takeback_check",
            "integrations/django/validators",
        ],
    ),
    "integrations/django/test_wagtail.py": (
        "the forms are tried by a site that uses them",
        ["integrations/wagtail/apps", "integrations/wagtail/forms"],
    ),
    "integrations/synapse/test_synapse.py": ("the module is tried in a real Synapse", ["integrations/synapse/module"]),
    "gate/index/test_multi_index.py": ("tables are the index's memory, and have no other user", ["gate/index/native"]),
    "gate/index/test_file.py": ("a plan shows in how the file is cut", ["gate/index/chunking"]),
    "gate/rules/test_common_patches.py": ("the list is tried by its reader", ["gate/rules/common_patch_list"]),
    "gate/rules/test_policy.py": (
        "they act when the policy says so",
        ["gate/rate_brake", "gate/rules/benign_list", "benign_list"],
    ),
    "integrations/bucket/test_app.py": (
        "the webhook is tried by what becomes of objects in a real store",
        [f"integrations/bucket/{name}" for name in ("app", "commands", "inspector", "server", "store")],
    ),
    "integrations/pict_rs/test_app.py": (
        "the service is tried by its answers, whoever it asks",
        ["integrations/options", *(f"integrations/pict_rs/{name}" for name in ("app", "commands", "server"))],
    ),
    "integrations/proxy/test_app.py": (
        "the proxy is tried by what passes, in a process of its own",
        [
            *(f"integrations/proxy/{name}" for name in ("answers", "app", "commands", "forms", "judges", "request")),
            *(f"integrations/proxy/{name}" for name in ("server", "spool", "upstream")),
        ],
    ),
    "integrations/proxy/test_tus.py": ("uploads are what tus routes are about", ["integrations/proxy/tus_uploads"]),
    "gate/scan/test_scan.py": (
        "a scan is tried whole, by its files and its report",
        [
            "gate/scan/backfill",
            *(
                f"gate/scan/{name}"
                for name in ("commands", "keeper", "pool", "report", "run", "shared", "snapshot", "sources", "work")
            ),
        ],
    ),
    "gate/scan/test_cluster.py": ("a cluster is tried by a scan on a real one", ["gate/scan/cluster"]),
    "gate/serve/test_app.py": (
        "the sidecar is tried by its answers",
        [f"gate/serve/{name}" for name in ("app", "hma", "messages", "metrics", "openapi", "uploads")],
    ),
    "gate/serve/test_server.py": (
        "processes and log are tried by the command",
        ["gate/processes/parent", "gate/serve/log", "gate/serve/server"],
    ),
    "gate/test_service.py": ("exact hashes and errors are tried by what a check says", ["errors", "hashing/exact"]),
    "gate/feed/test_signed.py": ("the chain is tried by a gate that is lied to", ["chain"]),
    "gate/upload_views/test_look_ups.py": ("frames are where a gate looks for views", ["gate/upload_views/letterbox"]),
    "gate/processes/test_pool.py": (
        "hashing processes are tried by what a gate gets from them",
        [
            "gate/processes/hashing_process",
            "gate/rules/media",
            *(f"hashing/{name}" for name in ("confine", "process", "rehearsal", "size")),
        ],
    ),
    "hashing/test_decoders.py": ("heads of files are read before a decoder runs", ["hashing/boxes", "hashing/jxl"]),
    "hashing/test_hostile.py": ("they are there to refuse what is hostile", ["hashing/structure", "hashing/tiff"]),
    "hashing/test_pdq.py": ("the kernel is held against two other ways to the same hash", ["hashing/kernel"]),
    "lookup/service/test_app.py": (
        "the service is tried by its answers",
        ["lookup/messages", "lookup/service/openapi"],
    ),
    "lookup/test_remote.py": ("they are raised by a service that is away or refuses", ["lookup/refusals"]),
    "lookup/test_reading.py": ("the program is tried by what reading gets from it", ["lookup/reading_process"]),
    "registry/http/test_app.py": (
        "the routes, and what they share, are tried by their answers",
        [
            *(f"registry/http/{name}" for name in ("app", "context", "long_poll", "problems")),
            "registry/server",
            "registry/storage/engine/periodic",
        ],
    ),
    "registry/operations/test_backup.py": (
        "a proof is tried on a database that is whole and on damaged ones",
        ["registry/operations/integrity"],
    ),
    "registry/http/test_tiles.py": ("Parquet is one form of the bulk feed", ["registry/http/parquet"]),
    "registry/storage/test_canaries.py": (
        "tried by what a platform is told",
        ["hashing/drawing", "registry/cli/canary_commands"],
    ),
    "registry/rules/test_cases.py": ("SQL is tried by what it is there for", ["registry/storage/case_queries"]),
    "registry/cli/test_commands.py": (
        "options are tried by the commands that take them",
        ["registry/cli/options"],
    ),
    "registry/storage/engine/test_database.py": (
        "tables are held against the migrations",
        ["registry/storage/engine/tables"],
    ),
    "test_patterns.py": ("every hour and day of a leap year is written and read back", ["times"]),
    "registry/test_private.py": ("of both zones, tried where the keys are", ["private"]),
    "registry/http/test_feed_routes.py": (
        "the feed is tried as a platform reads it",
        ["registry/storage/row_mapping", "registry/rules/publication_delay", "registry/storage/feed_queries"],
    ),
    "registry/http/test_small_sites.py": (
        "whom a change has reached is tried by what people see",
        ["registry/storage/reach_queries"],
    ),
    "registry/http/test_response_headers.py": ("the site is tried by its headers", ["registry/http/site"]),
    "registry/rules/test_entry_status.py": (
        "judgements are tried by what becomes of an entry",
        ["registry/rules/benign_list", "registry/storage/entry_statuses"],
    ),
    "registry/http/test_openapi.py": ("the page is made from the document", ["registry/http/docs"]),
    "registry/cli/test_operator_commands.py": (
        "tried by what the operator sees",
        [
            "registry/cli/case_commands",
            "registry/storage/usage",
            "registry/http/operator_page",
            "registry/storage/status_queries",
        ],
    ),
    "registry/http/compat/test_stopncii.py": (
        "both interfaces share it and are tried by their clients",
        ["registry/http/compat/common"],
    ),
    "registry/storage/test_store.py": (
        "stores and group commit are tried by events that arrive at once",
        [
            *(f"registry/storage/{name}_store" for name in ("case", "feed", "feedback")),
            "registry/storage/engine/group_commit",
        ],
    ),
}
"""Test files, each with the modules of other names that it tests, and the reason."""
LISTED: Final = {module: tests for tests, (_, modules) in ELSEWHERE.items() for module in modules}
MODULES: Final = sorted(
    file.relative_to(PACKAGE).with_suffix("").as_posix()
    for file in PACKAGE.rglob("*.py")
    if file.name != "__init__.py"
    and "migrations" not in file.parts  # those hold no code; tests/registry/storage/engine/test_migrations.py
)


def own_tests(module: str) -> Path:
    """The path of a module's test file, in the folder of its room."""
    *room, name = module.split("/")
    return TESTS.joinpath(*room, f"test_{name}.py")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_tests(module: str) -> None:
    """A module has a test file of its name, or one that is listed with the reason."""
    listed = LISTED.get(module)
    assert own_tests(module).is_file() or listed is not None, "name its tests after it, or list them with the reason"
    assert listed is None or (TESTS / listed).is_file()


def test_nothing_is_listed_that_is_not_there() -> None:
    """Every listed module exists, and is listed once."""
    listed = [module for _, modules in ELSEWHERE.values() for module in modules]
    assert sorted(listed) == sorted(set(listed) & set(MODULES))


def test_every_list_has_a_reason() -> None:
    """Each test file that tests modules of other names gives a reason."""
    assert [tests for tests, (reason, _) in ELSEWHERE.items() if len(reason.split()) < 4] == []
