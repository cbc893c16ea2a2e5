"""What an adoption counts, and what is printed of it."""

from __future__ import annotations

from badges.host.adoption.outcome import EXAMPLES, Line, Note, Outcome, Report
from badges.management.adoption_report import SHOWN, WIDTH, report_lines


def printed(report: Report, *, applied: bool = False) -> str:
    return "\n".join(report_lines(report, applied=applied))


def test_rows_are_counted_by_kind_outcome_and_reason() -> None:
    report = Report()
    report.add("badges", Outcome.CREATE, number=3)
    report.add("badges", Outcome.SKIP, "here", "7")
    report.add("templates", Outcome.CREATE)

    assert (report.count("badges"), report.count(outcome=Outcome.CREATE), report.count()) == (4, 4, 5)


def test_a_few_examples_are_kept_and_each_once() -> None:
    report = Report()
    for number in [1, 1, *range(1000)]:
        report.add("badges", Outcome.SKIP, "here", str(number))

    (line,) = report.lines()
    assert (line.number, line.examples) == (1002, ("1", "0", "2", "3", "4"))
    assert len(line.examples) == EXAMPLES


def test_nothing_is_no_line() -> None:
    report = Report()
    report.add("badges", Outcome.CREATE, number=0)

    assert list(report.lines()) == []


def test_one_report_takes_in_another() -> None:
    report, other = Report(), Report()
    report.add("badges", Outcome.SKIP, "here", "1")
    other.add("badges", Outcome.SKIP, "here", "2")
    other.inactive.append(Note("badge template 1", "Why."))

    report.absorb(other)

    assert list(report.lines()) == [Line("badges", Outcome.SKIP, "here", 2, ("1", "2"))]
    assert report.inactive == [Note("badge template 1", "Why.")]


def test_what_is_created_or_merged_is_a_change() -> None:
    report = Report()
    for outcome in Outcome:
        report.add("badges", outcome)

    assert report.changes == 2


def test_the_table_has_a_line_for_each_kind() -> None:
    report = Report()
    report.add("badge templates", Outcome.CREATE, number=2)
    report.add("badges", Outcome.CANNOT, "no user", number=10)

    table = [line.split() for line in printed(report).splitlines()[:3]]

    assert table == [
        ["create", "merge", "skip", "cannot"],
        ["badge", "templates", "2", "0", "0", "0"],
        ["badges", "0", "0", "0", "10"],
    ]


def test_a_reason_comes_with_ids() -> None:
    report = Report()
    report.add("badges", Outcome.CANNOT, "no user", "7", 2)

    assert "- badges, cannot 2: no user (there: such as 7)." in printed(report)


def test_many_templates_are_counted_rather_than_named() -> None:
    report = Report()
    report.add("badge templates", Outcome.CREATE)
    report.inactive += [Note(f"badge template {number}", "Why.") for number in range(SHOWN + 3)]

    text = printed(report)

    assert f"({SHOWN + 3}):" in text
    assert text.endswith("- and 3 more.")


def test_what_is_said_of_several_templates_is_said_once() -> None:
    report = Report()
    report.add("badge templates", Outcome.CREATE)
    report.inactive += [Note("badge template 1", "Why."), Note("badge template 2", "Why.")]

    assert printed(report).endswith("(2):\n- badge template 1, badge template 2: Why.")


def test_lines_fit_a_terminal() -> None:
    report = Report()
    report.add("badge templates", Outcome.CANNOT, "a word and " * 60)

    assert max(len(line) for line in printed(report).splitlines()) <= WIDTH


def test_an_address_that_somebody_typed_into_a_name_is_not_printed() -> None:
    report = Report()
    report.add("badge templates", Outcome.CREATE)
    report.needs_person.append(Note('badge template 1 "Ask anna@example.com"', "Look."))

    assert "anna@example.com" not in printed(report)
