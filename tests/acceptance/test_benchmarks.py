"""The benchmarks run, and print what they promise to print."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.databases import ROOT

pytestmark = pytest.mark.any_database


def bench(*arguments: str, timeout: float = 240) -> str:
    """Run a part of the benchmarks as an operator does, and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def rows(printed: str) -> dict[str, list[str]]:
    """Name of a row -> its rates, each with its least and its most."""
    found = {}
    for line in printed.splitlines():
        if cells := re.findall(r"[\d,]+ \([\d,]+-[\d,]+\)", line):
            found[line[:34].strip()] = cells
    return found


def test_the_benchmarks_print_queries_that_do_not_grow_with_the_templates() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "events", "--largest", "300"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stderr == ""
    [row] = [line for line in done.stdout.splitlines() if line.startswith("matches nothing")]
    assert re.findall(r"(\d+) q", row) == ["1", "1", "1"]
    assert "the number of queries depends" not in done.stdout
    assert "match() alone, 300 templates" in done.stdout
    assert "the one replaced   1007 queries" in done.stdout


def test_the_consumer_is_measured_beside_its_floors_and_the_stock_consumer() -> None:
    printed = bench("consumer", "--largest", "300", "--rounds", "1", "--only", "matches nothing", "--only", "award")

    found = rows(printed)
    assert len(found["matches nothing"]) == 2
    assert len(found["award"]) == 2
    assert len(found["award, tasks of django-tasks-db"]) == 2
    assert len(found["the stock consumer beside it"]) == 1
    assert "300 active templates" in printed
    assert re.search(r"matches nothing .* (holds|BELOW) 0\.7\n", printed)


def test_two_consumers_are_measured_against_one() -> None:
    found = rows(bench("consumer", "--largest", "300", "--rounds", "1", "--only", "two consumers: matches nothing"))

    assert found.keys() == {"matches nothing"}
    assert len(found["matches nothing"]) == 2


def test_the_consumer_is_measured_beside_many_records_and_beside_none() -> None:
    printed = bench("consumer", "--largest", "100", "--rounds", "1", "--only", "size: first fulfilment")

    assert "10,000 progress records" in printed
    assert len(rows(printed)["first fulfilment"]) == 2


def test_the_profile_tells_where_the_time_of_an_event_goes() -> None:
    printed = bench("consumer", "--largest", "300", "--profile", "--only", "first fulfilment, new")

    [header] = [line for line in printed.splitlines() if "decode" in line]
    assert {"read", "decode", "dispatch", "collect", "match", "look", "write", "ack"} <= set(header.split())
    assert [line.split()[4] for line in printed.splitlines() if line.startswith("first")] == ["floor", "ours"]


def test_the_memory_of_the_consumer_is_sampled_round_after_round() -> None:
    printed = bench("memory", "--largest", "300")

    samples = re.findall(r"^ +([\d,]+) +(\d+\.\d) +[\d,]+$", printed, re.MULTILINE)
    assert [events for events, _ in samples] == ["6,000"]
    assert re.search(r"most \d+\.\d MB   (holds|ABOVE) 200", printed)


def test_the_wait_for_the_answer_to_a_webhook_is_measured_with_and_without_workers() -> None:
    printed = bench("webhooks", "--largest", "50")

    row = re.compile(r"^(\w.*?)  +((?:[\d.]+ +){4})[\d,]+ +[\d.]+   (?:holds|ABOVE) 50(.*)$", re.MULTILINE)
    found = {name: others for name, _, others in row.findall(printed)}
    assert found == dict.fromkeys(
        ("stored, and nothing else", "deliver_badges --watch 1 beside", "db_worker beside, tasks enqueued"), ""
    )


def test_an_adoption_is_measured_as_a_plan_applied_and_a_second_time() -> None:
    printed = bench("adoption", "--largest", "300")

    row = re.compile(r"^300 rows, (.*?)  +[\d.]+ +[\d,]+ +[\d,]+ +[\d.]+ +[\d.]+$", re.MULTILINE)
    assert row.findall(printed) == ["plan", "applied", "a second time"]
    assert "All promised figures hold." in printed
