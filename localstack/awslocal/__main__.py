"""Entry point of `python -m awslocal`."""

from awslocal.cli import main

if __name__ == "__main__":
    main()
