"""Which texts have which words, in the tables of any SQL store: ranks them by BM25. Imports numpy, which is among the
packages of whoever uses it.

    index = WordIndex(store, words_version=1)      # a store whose schema has `*WORD_TABLES`
    await index.put(7, [(number, words), ...])     # of collection 7; found when it returns
    await index.search(7, ["file", "read"], limit=10)

As in Lucene, what is put is never changed:

    put  ->  segment: numbers and lengths of its texts  +  blocks: sorted words, and of each its texts
             eight segments of about one size  ->  merged into one, up to a largest size

A segment is shown when all of it is there, and a merge shows the new one and hides the old ones at once, so that every
search sees each text once. Of a number that is in several segments the newest counts. What is removed is marked in its
segment, and gone after the next merge. Several processes may do all of it at once. Knows no text:
`runtime.documents.words` makes words of it.
"""
