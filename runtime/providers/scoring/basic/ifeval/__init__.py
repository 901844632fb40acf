"""Whether an answer follows instructions that can be checked, as IFEval has them.

Zhou et al. 2023: Instruction-following evaluation for large language models, arXiv:2311.07911, table 1, and what its
implementation takes each to mean: https://github.com/google-research/google-research (`instruction_following_eval`).
Where ours says something else: sentences and words are found by rules of our own in place of NLTK's model, a
contraction is one word, the language is py3langid's guess in place of langdetect's, and a keyword is text, no regular
expression.
"""
