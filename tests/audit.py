"""`make audit`: what Lighthouse, the Nu Html Checker and the scales say of the site; status 1 when an aim is missed.

`python tests/audit.py claims.html en/claims.html` looks at these pages alone; `--json` prints all that was found.
"""

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "build" / "tools"
PINNED = {"lighthouse": "13.5.0", "vnu-jar": "26.9.27"}  # from npm, installed for this only
AIMS = {"performance": 90, "accessibility": 100, "best-practices": 100, "seo": 100}  # of 100, on a slow phone
WEIGHT_B = 300_000  # a page with its styles and scripts, uncompressed, without its figures
NAMED = re.compile(r'<(img|script|link rel="(?:stylesheet|icon)")[^>]*?\s(?:src|href)="([^":]+)"')


class AuditError(RuntimeError):
    """A tool that is not there or that failed."""


def main(words: list[str]) -> int:
    """Publish into a temporary folder, look, and tell."""
    from lib.press import site

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "pages", nargs="*", help="paths from the site's root; home, claims and posts when none is given"
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    asked = parser.parse_args(words)
    try:
        install()
        with tempfile.TemporaryDirectory() as folder:
            out = site.publish(out=Path(folder) / "_site")
            pages = asked.pages or chosen(out)
            if absent := [page for page in pages if not (out / page).is_file()]:
                raise AuditError(f"the site has no {', '.join(absent)}")
            with site.served(out) as address:
                found = {
                    "pages": {page: weigh(out, page) | lighthouse(address + page) for page in pages},
                    "index_b": {path.name: path.stat().st_size for path in sorted(out.glob("assets/search-*.js"))},
                    "markup": nu(out, address),
                }
    except (ValueError, RuntimeError, subprocess.TimeoutExpired) as error:  # a tool that failed, a stale result
        print(error, file=sys.stderr)
        return 1
    found["missed"] = missed(found)
    print(json.dumps(found, indent=1)) if asked.json else tell(found)
    return int(bool(found["missed"]))


def chosen(out: Path) -> list[str]:
    """Home, claims and every post, in both languages."""
    return [
        path.relative_to(out).as_posix()
        for prefix in ("", "en/")
        for name in ("index.html", "claims.html", "posts/*.html")
        for path in sorted(out.glob(prefix + name))
    ]


def install() -> None:
    """Have both tools, of their pinned versions, in build/tools. Raises AuditError."""
    from lib.lab import downloads

    wanted = [f"{name}@{version}" for name, version in PINNED.items() if installed(name) != version]
    if wanted:
        TOOLS.mkdir(parents=True, exist_ok=True)
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", "--loglevel=error"]
        done = subprocess.run(
            [*downloads._npm(), "install", f"--prefix={TOOLS}", *quiet, *wanted], capture_output=True, text=True
        )
        if done.returncode:
            raise AuditError(f"npm could not install {' '.join(wanted)}: {done.stderr.strip()[-300:]}")


def installed(name: str) -> str | None:
    """The version of a package in build/tools."""
    path = TOOLS / "node_modules" / name / "package.json"
    return json.loads(path.read_text(encoding="utf-8"))["version"] if path.is_file() else None


def weigh(out: Path, page: str) -> dict[str, int]:
    """Bytes of a page with its styles and scripts, of the same through gzip, and of its figures."""
    source = out / page
    named = dict.fromkeys(NAMED.findall(source.read_text(encoding="utf-8")))
    files = {
        (kind, out / name[1:] if name.startswith("/") else (source.parent / name).resolve()) for kind, name in named
    }
    figures = [path for kind, path in files if kind == "img" and path.parent.name != "assets"]
    loaded = [source, *{path for _, path in files if path not in figures}]
    return {
        "bytes": sum(path.stat().st_size for path in loaded),
        "gzip_b": sum(len(gzip.compress(path.read_bytes())) for path in loaded),
        "figures_b": sum(path.stat().st_size for path in figures),
    }


def lighthouse(url: str) -> dict[str, Any]:
    """Scores of a page, of 100, and the audits that cost it something. Raises AuditError."""
    from lib.lab import downloads
    from lib.press import doctor

    chromium = doctor.chromium()
    if chromium is None:
        raise AuditError("Lighthouse needs a Chromium, and there is none here (Debian: apt install chromium)")
    command = [
        downloads._npm()[0], str(TOOLS / "node_modules/lighthouse/cli/index.js"), url, "--output=json", "--quiet",
        "--no-enable-error-reporting", f"--only-categories={','.join(AIMS)}",
        "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
    ]  # fmt: skip
    environment = {**os.environ, "CHROME_PATH": chromium}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=TOOLS, timeout=300)
    if done.returncode:
        raise AuditError(f"Lighthouse failed on {url}: {done.stderr.strip()[-300:]}")
    report = json.loads(done.stdout)
    scores = {name: round(100 * (category["score"] or 0)) for name, category in report["categories"].items()}
    costs = {
        one["id"]: report["audits"][one["id"]].get("explanation") or report["audits"][one["id"]]["title"]
        for category in report["categories"].values()
        for one in category["auditRefs"]
        if one["weight"] and (report["audits"][one["id"]]["score"] or 0) < 0.9
        and report["audits"][one["id"]]["scoreDisplayMode"] not in ("notApplicable", "manual", "informative")
    }  # fmt: skip
    return {"scores": scores, "costs": costs}


def nu(out: Path, address: str) -> dict[str, Any] | None:
    """Complaints of the Nu Html Checker, by file; None where there is no Java.

    Pages are read from the server, since a file has no origin to which their security policy could apply.
    """
    java = shutil.which("java")
    if java is None:
        return None
    files = {
        suffix: sorted(path.relative_to(out).as_posix() for path in out.rglob(f"*{suffix}"))
        for suffix in (".html", ".css", ".svg")
    }
    jar = str(TOOLS / "node_modules/vnu-jar/build/dist/vnu.jar")
    command = [java, "-Dnu.validator.servlet.allow-forbidden-hosts=true", "-jar", jar, "--format", "json"]
    complaints: dict[str, list[str]] = {}
    for options, names in (
        ([], [address + name for name in files[".html"]]),
        (["--also-check-css", "--also-check-svg"], [str(out / name) for name in files[".css"] + files[".svg"]]),
    ):
        done = subprocess.run([*command, *options, *names], capture_output=True, text=True, timeout=300)
        try:
            messages = json.loads(done.stderr)["messages"]
        except ValueError:
            raise AuditError(f"vnu failed: {done.stderr.strip()[-300:]}") from None
        for one in messages:
            place = re.sub(rf"^({re.escape(address)}|file:/*{re.escape(str(out))[1:]}/)", "", one.get("url", ""))
            complaints.setdefault(place, []).append(f"{one['type']}, line {one.get('lastLine')}: {one['message']}")
    return {"files": sum(map(len, files.values())), "complaints": complaints}


def missed(found: dict[str, Any]) -> list[str]:
    """Every aim that is missed, in a line."""
    lines = []
    for page, one in found["pages"].items():
        low = [f"{name} {one['scores'].get(name, 0)}" for name, aim in AIMS.items() if one["scores"].get(name, 0) < aim]
        if low:
            reasons = "; ".join(f"{name}: {told}" for name, told in one["costs"].items())
            lines.append(f"{page}: {', '.join(low)} ({reasons})")
        if one["bytes"] > WEIGHT_B:
            lines.append(f"{page}: {one['bytes'] / 1000:.0f} kB without its figures")
    for page, complaints in (found["markup"] or {}).get("complaints", {}).items():
        lines += [f"{page}: {complaint}" for complaint in complaints]
    return lines


def tell(found: dict[str, Any]) -> None:
    """Print it as a table and a few lines."""
    print(f"{'page':<40}{'perf':>6}{'a11y':>6}{'best':>6}{'SEO':>6}{'kB':>8}{'gzip':>8}{'figures':>9}")
    for page, one in found["pages"].items():
        scores = "".join(f"{one['scores'].get(name, 0):>6}" for name in AIMS)
        weights = f"{one['bytes'] / 1000:>8.1f}{one['gzip_b'] / 1000:>8.1f}{one['figures_b'] / 1000:>9.1f}"
        print(f"{page:<40}{scores}{weights}")
    index = ", ".join(f"{name} {size / 1000:.1f} kB" for name, size in found["index_b"].items())
    print(
        f"\nScores: Lighthouse {PINNED['lighthouse']}, one run a page, as a slow phone; the server does not compress."
    )
    print(f"Weights: the page with its styles and scripts; search ({index}) is fetched when its field has the focus.")
    if found["markup"] is None:
        print("Markup: not checked, since vnu needs Java and there is none here.")
    else:
        count = sum(map(len, found["markup"]["complaints"].values()))
        print(f"Markup: vnu {PINNED['vnu-jar']} looked at {found['markup']['files']} files; complaints: {count}.")
    for line in found["missed"]:
        print(f"missed: {line}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
