"""The command `guidon`: parses, calls `lib.press`, prints. Imports what a command needs when it runs."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

DONE, FAILED, MISUSED = 0, 1, 2


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(prog="guidon", description="Claims about generative AI, put to the test.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, work: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(work=work)
        return command

    listing = add("list", _list, "Every experiment: title, state, verdict.")
    listing.add_argument("--json", action="store_true", help="machine-readable")
    run = add("run", _run, "Run notebooks headless; finished runs are kept.")
    run.add_argument("slugs", nargs="*", metavar="SLUG")
    run.add_argument(
        "-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="another value for a parameter"
    )
    run.add_argument("--force", action="store_true", help="run again even when nothing changed")
    again = add("reproduce", _reproduce, "Run again what is published and compare, value by value.")
    again.add_argument("slugs", nargs="*", metavar="SLUG")
    again.add_argument("--profile", default="quick", help="quick (default) or full")
    again.add_argument("--new", action="store_true", help="only what was not reproduced here yet")
    again.add_argument("--json", action="store_true", help="machine-readable")
    sweep = add("sweep", _sweep, "Run a notebook over values of its parameters; one table, a figure a result.")
    sweep.add_argument("slug", metavar="SLUG")
    sweep.add_argument(
        "-p", "--parameter", action="append", default=[], required=True, metavar="NAME=VALUES",
        help="seed=0:10 or size=100,1000; all combinations are run",
    )  # fmt: skip
    sweep.add_argument("--zip", action="store_true", help="pair the values instead of combining them")
    sweep.add_argument("--json", action="store_true", help="machine-readable")
    for command in (run, sweep):
        command.add_argument("--profile", default="quick", help="smoke, quick (default) or full")
        command.add_argument("--jobs", type=_positive, default=1 if command is run else None, help=(
            "runs at once; jobs times threads never exceeds the cores"
            + ("" if command is run else " (default: as many as there are cores for)")
        ))  # fmt: skip
    for command in (run, again, sweep):
        command.add_argument(
            "--dask", metavar="ADDRESS", help="run on a Dask cluster, such as tcp://192.168.1.2:8786, instead of here"
        )
    compare = add("compare", _compare, "Put two results side by side, value by value.")
    compare.add_argument("one", metavar="A", help="SLUG, SLUG:PROFILE, or the folder of a run")
    compare.add_argument("other", metavar="B", help="the same")
    compare.add_argument("--json", action="store_true", help="machine-readable")
    accept = add("accept", _accept, "Make the last good run the published result.")
    accept.add_argument("slugs", nargs="+", metavar="SLUG")
    accept.add_argument("--profile", default="quick", help="quick (default) or full")
    posts = add("posts", _posts, "Write posts/ and en/posts/ from today's prose and the accepted results.")
    publish = add("publish", _publish, "Write the posts and render the site into _site/.")
    publish.add_argument("--renderer", default="auto", choices=("auto", "quarto", "smalldocs"))
    for command in (posts, publish):
        command.add_argument("--drafts", action="store_true", help="show local runs and drafts")
        command.add_argument("--allow-stale", action="store_true", help="publish stale results, marked as such")
    preview = add("preview", _preview, "Serve the site here and render it again when a source changes.")
    preview.add_argument("--port", type=int, default=4848)
    preview.add_argument("--drafts", action="store_true", help="show local runs and drafts")
    check = add("check", _check, "Look for mistakes in notebooks and results.")
    check.add_argument("slugs", nargs="*", metavar="SLUG")
    check.add_argument("--json", action="store_true", help="machine-readable")
    new = add("new", _new, "Start an experiment, a tutorial or a note that runs and publishes as it is.")
    new.add_argument("kind", choices=("experiment", "tutorial", "note"))
    new.add_argument("slug", metavar="SLUG")
    new.add_argument("--series", help="data (default), models, applications or society")
    export = add("export", _export, "Write a published post, or all of them, for other places, into build/exports/.")
    chosen = export.add_mutually_exclusive_group(required=True)
    chosen.add_argument("slug", nargs="?", metavar="SLUG")
    chosen.add_argument("--all", action="store_true", help=(
        "every post, in both languages, for every place or those that --to names; what is up to date stays as it is."
        " A video takes about 40 s, so that all of them take most of an hour: choose places to leave them out"
    ))  # fmt: skip
    places = ("markdown", "hashnode", "eleventy", "newsletter", "slides", "video")
    export.add_argument(
        "--to", action="append", choices=places, help="where it goes; may be given several times (--all: everywhere)"
    )
    export.add_argument("--burn", action="store_true", help="of a video: draw the subtitles into the picture")
    export.add_argument("--json", action="store_true", help="machine-readable")
    letter = add("newsletter", _newsletter, "Write a letter of what appeared since a day, into build/exports/.")
    letter.add_argument("--since", required=True, type=_day, metavar="DATE", help="such as 2026-11-01")
    letter.add_argument("--title", help="its subject (default: the month and the newest title)")
    letter.add_argument("--intro", metavar="FILE", help="Markdown that stands first; its numbers are filled in")
    export.add_argument("--lang", choices=("fr", "en"), help="fr (default) or en (--all: both)")
    letter.add_argument("--lang", default="fr", choices=("fr", "en"), help="fr (default) or en")
    for command in (export, letter):
        command.add_argument("--hosted", metavar="URL", help="where its figures will be, if not beside it")
        command.add_argument(
            "--unsubscribe", metavar="URL", help="of a letter: an address, or the mark that your service replaces"
        )
    imported = add("import", _import, "Make notes of posts from a Hashnode or Eleventy blog, or of plain text.")
    imported.add_argument("files", nargs="+", metavar="FILE")
    imported.add_argument("--date", type=_day, help="of posts that tell none, such as 2024-04-19")
    imported.add_argument("--assets", metavar="DIR", help="where their images are")
    imported.add_argument("--lang", choices=("fr", "en"), help="their language (default: as they say, or as it seems)")
    imported.add_argument("--json", action="store_true", help="machine-readable")
    data = add("data", _data, "List, fetch or verify external data sets and models.")
    data.add_argument("action", choices=("list", "fetch", "verify"))
    data.add_argument("names", nargs="*", metavar="NAME")
    data.add_argument("--json", action="store_true", help="machine-readable")
    add("lab", _lab, "Open JupyterLab on the notebooks.")
    doctor = add("doctor", _doctor, "Tell in one screen what is missing and how to get it.")
    doctor.add_argument("--json", action="store_true", help="machine-readable")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of runs; 1 or more")
    return int(text)


def _day(text: str) -> str:
    import datetime as dt

    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a date such as 2024-04-19") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0 done, 1 the work failed, 2 the call was wrong."""
    options = build_parser().parse_args(arguments)
    try:
        return options.work(options)
    except KeyboardInterrupt:
        print("guidon: interrupted; what was finished is kept", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("GUIDON_TRACEBACK"):
            raise
        from lib.press.console import os_error

        misused = type(error).__name__ in ("NotebookError", "ScaffoldError")
        told = os_error(error) if isinstance(error, OSError) else str(error)
        print(f"guidon: {' '.join(told.split()) if misused else told}", file=sys.stderr)
        return MISUSED if misused else FAILED


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1))


def _rows(rows: Sequence[Sequence[str]], header: Sequence[str]) -> None:
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _list(options: argparse.Namespace) -> int:
    from lib.press import store
    from lib.press.notebooks import find

    rows = []
    for notebook in find():
        decided = store.deciding(notebook.slug)
        profile = decided.profile if decided else "quick"
        rows.append({
            "slug": notebook.slug, "title": notebook.text("title", "en"), "profile": profile,
            "state": store.state(notebook, profile), "accepted": decided is not None,
            "verdict": decided.verdict if decided else None,
        })  # fmt: skip
    if options.json:
        _print_json(rows)
    else:
        names = ("slug", "title", "profile", "state", "verdict")
        _rows([[str(row[name] or "-") for name in names] for row in rows], names)
    return DONE


def _parse_parameters(given: Sequence[str]) -> dict[str, Any]:
    from lib.press.notebooks import NotebookError, parse_value

    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise NotebookError(f"-p {text}: write a parameter as name=value")
        values[name] = parse_value(value)
    return values


def _run(options: argparse.Namespace) -> int:
    from lib.press import console, places
    from lib.press.notebooks import select

    notebooks = select(options.slugs)
    overrides = _parse_parameters(options.parameter)
    for notebook in notebooks:
        notebook.values(options.profile, overrides)  # a wrong name is refused before anything starts
    orders = [places.Order(notebook, options.profile, overrides, options.force) for notebook in notebooks]
    with console.board() as board, places.place(orders, jobs=options.jobs, dask=options.dask, board=board) as place:
        outcomes = places.perform(orders, place)
    for outcome in outcomes:
        _say_outcome(outcome)
    return FAILED if any(outcome.error for outcome in outcomes) else DONE


def _sweep(options: argparse.Namespace) -> int:
    from lib.press import console, places, sweep
    from lib.press.notebooks import select

    (notebook,) = select([options.slug])
    values = sweep.parse(options.parameter)
    chosen = sweep.points(notebook, options.profile, values, options.zip)  # refused before anything starts
    orders = sweep.orders(notebook, options.profile, chosen)
    with console.board() as board, places.place(orders, jobs=options.jobs, dask=options.dask) as place:
        outcomes = sweep.run(notebook, options.profile, chosen, board, place)
    frame = sweep.table(chosen, outcomes)
    folder = sweep.keep(notebook, options.profile, list(values), frame)
    failed = [outcome for outcome in outcomes if outcome.error]
    if options.json:
        print(frame.to_json(orient="records", indent=1))
    else:
        _say_sweep(outcomes, frame, list(values))
        print(f"{len(frame)} points in {os.path.relpath(folder)}: table.csv, table.parquet, a figure for each result")
    for outcome in failed[:3]:
        print(f"{notebook.slug}: failed: {outcome.error}", file=sys.stderr)
    return FAILED if failed else DONE


def _say_sweep(outcomes: list[Any], frame: Any, swept: list[str]) -> None:
    """The headline value by condition, highest first."""
    from lib.press import sweep
    from lib.press.console import short

    name = sweep.headline(frame, outcomes, swept)
    if name is None:
        return
    best = sweep.summary(frame, swept, name)
    print(f"{name}: mean over the seeds, 95% interval")
    _rows([[short(value) for value in row] for row in best.head(20).itertuples(index=False)], list(best.columns))


def _say_outcome(outcome: Any) -> None:
    from lib.press import store

    slug = outcome.notebook.slug
    if outcome.error:
        folder = store.failed(outcome.notebook, outcome.profile)
        kept = f" (traceback in {os.path.relpath(folder / 'executed.ipynb')})" if folder else ""
        print(f"{slug}: failed: {outcome.error}{kept}", file=sys.stderr)
    else:
        verdict = outcome.result.verdict
        print(
            f"{slug}: {outcome.result.profile} run in {os.path.relpath(outcome.result.folder)}"
            + (f", verdict: {verdict}" if verdict else "")
        )


def _reproduce(options: argparse.Namespace) -> int:
    from lib.press import console, places, reproduce, store
    from lib.press.notebooks import select

    chosen = [notebook for notebook in select(options.slugs) if options.profile in store.accepted(notebook.slug)]
    if options.new:
        chosen = [notebook for notebook in chosen if not reproduce.is_done(notebook.slug, options.profile)]
    if not chosen:
        why = "all of it was reproduced here" if options.new else "nothing is accepted yet"
        if options.json:
            _print_json({"rates": {}, "reproduced": [], "failed": []})
        else:
            print(f"nothing to reproduce: {why}")
        return DONE
    installed, verified = reproduce.environment(), reproduce.inputs(chosen)
    orders = [places.Order(notebook, options.profile, force=True) for notebook in chosen]
    # Two cores: what asks for both is alone and measures time undisturbed, what asks for one has one neighbour.
    with console.board() as board, places.place(orders, cores=2, dask=options.dask, board=board) as place:
        found, failed = reproduce.again(orders, place, board)
    rates = reproduce.rates(installed, verified, found, {one.notebook.slug: one.error for one in failed})
    if options.json:
        told = [{"slug": one.notebook.slug, "error": one.error} for one in failed]
        _print_json({"rates": rates, "reproduced": found, "failed": told})
    else:
        print("\n".join([line for one in found for line in reproduce.lines(one)] + reproduce.rate_lines(rates)))
        for outcome in failed:
            _say_outcome(outcome)
    return FAILED if any(one["shortfall"] for one in rates.values()) else DONE


def _compare(options: argparse.Namespace) -> int:
    from lib.press import reproduce, store
    from lib.press.console import short

    one, other = store.find(options.one), store.find(options.other)
    rows = reproduce.side_by_side(one.record, other.record)
    if options.json:
        _print_json(rows)
        return DONE
    told = [
        [row["name"], *(short(row[side]) for side in ("accepted", "here", "difference")), "" if row["ok"] else "*"]
        for row in rows
    ]
    _rows(told, ("value", options.one, options.other, "difference", ""))
    apart = sum(not row["ok"] for row in rows)
    print(f"{len(rows) - apart} of {len(rows)} agree" + (f"; * marks the {apart} that do not" if apart else ""))
    return DONE


def _accept(options: argparse.Namespace) -> int:
    from lib.press import pages
    from lib.press.accept import accept
    from lib.press.notebooks import select

    for notebook in select(options.slugs):
        result = accept(notebook, options.profile)
        print(
            f"{notebook.slug}: {result.profile} result accepted"
            + (f", verdict: {result.verdict}" if result.verdict else "")
        )
    if pages.update_readme():
        print("README.md: the table of claims is up to date")
    return DONE


def _posts(options: argparse.Namespace) -> int:
    from lib.press import posts

    written = posts.write(drafts=options.drafts, allow_stale=options.allow_stale)
    print(f"{len(written)} posts and pages are up to date")
    return DONE


def _publish(options: argparse.Namespace) -> int:
    from lib.press import site

    folder = site.publish(renderer=options.renderer, drafts=options.drafts, allow_stale=options.allow_stale)
    print(
        f"the site is in {os.path.relpath(folder)}; open {os.path.relpath(folder / 'index.html')}, or `guidon preview`"
    )
    return DONE


def _preview(options: argparse.Namespace) -> int:
    from lib.press import site

    site.preview(port=options.port, drafts=options.drafts)
    return DONE


def _check(options: argparse.Namespace) -> int:
    from lib.press import check, pages
    from lib.press.notebooks import find, select

    notebooks = select(options.slugs) if options.slugs else find()
    notes = [] if options.slugs else pages.notes()
    problems = [problem for notebook in notebooks for problem in check.check_notebook(notebook)]
    problems += [problem for path in notes for problem in check.check_note(path)]
    if options.json:
        _print_json([problem.as_dict() for problem in problems])
    else:
        for problem in problems:
            print(problem)
        print(f"{len(notebooks)} notebooks, {len(notes)} notes, {len(problems)} problems")
    return FAILED if problems else DONE


def _new(options: argparse.Namespace) -> int:
    from lib.press import scaffold

    for path in scaffold.new(options.kind, options.slug, series=options.series):
        print(os.path.relpath(path))
    return DONE


def _export(options: argparse.Namespace) -> int:
    from lib.press import exports

    wanted = exports.Options(options.hosted, options.unsubscribe, options.burn)
    if options.all:
        return _export_all(options, wanted)
    if not options.to:
        print("guidon: say with --to where it goes", file=sys.stderr)
        return MISUSED
    lang, told = options.lang or "fr", []
    for target in options.to:
        folder = exports.export(options.slug, target, lang, wanted)
        files = _files(folder)
        told.append({"slug": options.slug, "to": target, "lang": lang, "files": files})
        if not options.json:
            print("\n".join(files))
    if options.json:
        _print_json(told[0] if len(told) == 1 else told)
    return DONE


def _export_all(options: argparse.Namespace, wanted: Any) -> int:
    from lib.press import console, everywhere, exports

    targets, langs = options.to or exports.TARGETS, [options.lang] if options.lang else ["fr", "en"]
    done: list[everywhere.Done] = []
    try:
        with console.board() as board:
            for one in everywhere.run(targets, langs, wanted, board):
                done.append(one)
    finally:  # what was finished is told when it is interrupted, too
        if options.json:
            _print_json([one.as_dict() for one in done])
        elif done:
            _rows(everywhere.table(done), ("to", "lang", *everywhere.STATUSES, "size", "time"))
        for one in done:
            if one.error:
                print(f"{one.slug} to {one.to} in {one.lang}: {one.error}", file=sys.stderr)
    return FAILED if any(one.error for one in done) else DONE


def _newsletter(options: argparse.Namespace) -> int:
    from pathlib import Path

    from lib.press import newsletter

    folder = newsletter.issue(
        options.since, options.lang, options.title, Path(options.intro) if options.intro else None, options.hosted,
        options.unsubscribe,
    )  # fmt: skip
    print("\n".join(_files(folder)))
    return DONE


def _files(folder: Any) -> list[str]:
    """What was written, from here."""
    return [os.path.relpath(path) for path in sorted(folder.rglob("*")) if path.is_file()]


def _import(options: argparse.Namespace) -> int:
    from pathlib import Path

    from lib.press import importing

    if options.assets and not Path(options.assets).is_dir():
        print(f"guidon: --assets {options.assets} is not a folder", file=sys.stderr)
        return MISUSED
    made = importing.run(
        [Path(name) for name in options.files], date=options.date, lang=options.lang,
        assets=Path(options.assets) if options.assets else None,
    )  # fmt: skip
    if options.json:
        _print_json([vars(one) for one in made])
    else:
        print("\n".join(line for one in made for line in one.lines()))
    return FAILED if any(one.status == "failed" for one in made) else DONE


def _data(options: argparse.Namespace) -> int:
    from lib.lab import sources

    if options.action == "fetch":
        for name, path in sources.fetch(*options.names).items():
            print(f"{name}: {os.path.relpath(path)}")
        return DONE
    if options.action == "verify":
        problems = sources.verify(*options.names)
        for name, problem in problems.items():
            print(f"{name}: {problem or 'as pinned'}")
        return FAILED if any(problems.values()) else DONE
    rows = sources.rows()
    if options.json:
        _print_json(rows)
    else:
        names = ("name", "kind", "package", "version", "licence", "cached")
        _rows([[str(row.get(name, "")) for name in names] for row in rows], names)
    return DONE


def _lab(options: argparse.Namespace) -> int:
    from lib.lab import paths
    from lib.press.environment import QUIET

    os.chdir(paths.root())
    os.environ.setdefault("PYTHONWARNINGS", QUIET)
    os.execv(sys.executable, [sys.executable, "-m", "jupyter", "lab", "notebooks"])


def _doctor(options: argparse.Namespace) -> int:
    from lib.press import doctor

    found = doctor.examine()
    if options.json:
        _print_json([vars(one) for one in found])
    else:
        for one in found:
            mark = "ok" if one.ok else "missing" if one.needed else "note"
            print(f"{mark:8}{one.name:17}{one.text}")
    return FAILED if any(one.needed and not one.ok for one in found) else DONE


if __name__ == "__main__":
    sys.exit(main())
