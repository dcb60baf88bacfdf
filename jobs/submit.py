"""Driver script for spark-submit: the same command line as `counterpoise`.

    spark-submit --py-files counterpoise-*.whl submit.py score_catalog --conf FILE ...

(the file is `jobs/submit.py`; put it beside the wheel)
"""

from jobs.command.cli import main

if __name__ == "__main__":
    main()
