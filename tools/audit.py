"""Known faults and licenses of what we build with: `make audit`.

Each check is `clean`, has `findings`, or was `not checked` because its database could not be reached.
The exit code is 0 only if all are clean: a database that nobody could ask has said nothing.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
CLEAN, FINDINGS = "clean", "findings, see above"


def run(*command: str | Path, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs a command at the root of the repository."""
    where = subprocess.PIPE if capture else None
    return subprocess.run(command, cwd=ROOT, text=True, check=False, stdout=where, stderr=where)


def crates() -> str:
    """Licenses, sources and versions of all crates, by `deny.toml`. Asks no network."""
    return FINDINGS if run("cargo", "deny", "check", "bans", "licenses", "sources").returncode else CLEAN


def crate_advisories() -> str:
    """Crates that RustSec knows a fault of."""
    if run("cargo", "deny", "fetch", "db").returncode:
        return "not checked: RustSec's database could not be fetched"
    return FINDINGS if run("cargo", "deny", "--offline", "check", "advisories").returncode else CLEAN


def python_advisories() -> str:
    """Packages in this environment that the Python package index knows a fault of."""
    audit = run(BIN / "pip-audit", "--format=json", "--skip-editable", "--progress-spinner=off", capture=True)
    if not audit.stdout:
        print(audit.stderr, file=sys.stderr)
        return "not checked: the index could not be asked"
    found = json.loads(audit.stdout)["dependencies"]
    faults = [(package, fault) for package in found for fault in package.get("vulns", ())]
    for package, fault in faults:
        print(
            f"{package['name']} {package['version']}: {fault['id']}, fixed in {fault['fix_versions'] or 'no version'}"
        )
    if faults:
        return FINDINGS
    unknown = [package["name"] for package in found if "skip_reason" in package and package["name"] != "fuseboard"]
    return f"not checked: the index said nothing of {len(unknown)} of {len(found)} packages" if unknown else CLEAN


def main() -> int:
    """Runs all checks, whatever the others found, and says how each ended."""
    if shutil.which("cargo-deny") is None:
        print("cargo-deny is missing: cargo install --locked cargo-deny", file=sys.stderr)
        return 2
    checks = {"crates": crates, "advisories of crates": crate_advisories, "advisories of Python": python_advisories}
    results = {name: check() for name, check in checks.items()}
    for name, result in results.items():
        print(f"{name}: {result}")
    return 0 if set(results.values()) == {CLEAN} else 1


if __name__ == "__main__":
    sys.exit(main())
