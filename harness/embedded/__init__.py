"""The tiny real models and their three generated tasks.

Everything that makes and checks problems is pure Python and imports no torch: `chain_arithmetic`,
`chain_programs`, `chain_errors` (the tasks), `mistakes` (what goes wrong and how often),
`checkers` (where it first went wrong) and `datasets` (the rows that a task file reads). `train`
makes the tokenizer, the policy and the PRMs under `weights/`.
"""
