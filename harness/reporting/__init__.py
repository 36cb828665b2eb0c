"""Reports: the rows of a run as files, tables, figures and one web page.

Everything here is made from `harness.types.ResultRow` records (and, for the page, from
`harness.reporting.sample.Sample` records): no model, no pool and no grader is needed to make a
report again. In the order of use::

    frames    rows <-> results.csv, results.parquet, pandas
    lines     rows -> one line per (task, policy, method, PRM, aggregation) over its budgets
    tables    lines -> table values, with first_error's (table is the value, cells its parts)
    render    table values -> terminal, Markdown, LaTeX (escape makes names safe)
    figures   lines -> PNG and SVG (charts draws, style chooses colours and markers)
    sample    what the page shows of single problems
    page      tables, figures and samples (as payload) -> one self-contained HTML file
    report    all of the above into one folder

pandas, pyarrow, matplotlib, rich and jinja2 are imported where they are used.
"""
