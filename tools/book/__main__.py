"""Make the book: `python -m tools.book`.

It ends with 1 where a link is broken, where anything would be loaded from outside, where a public name has no place,
and where a training of the page about failing ones is not proved to fail for its reason.
"""

import sys
import time

from tools.book import checks, public, site


def main() -> int:
    """Make all pages, build the site, and check it."""
    begun = time.perf_counter()
    pages = site.written() | site.made()
    print(f"{len(pages)} pages after {time.perf_counter() - begun:.0f} s", flush=True)
    site.lay(pages)
    site.build()
    found = checks.faults(site.SITE, public.anchors())
    for fault in found:
        print(fault, file=sys.stderr)
    where = site.SITE / "index.html"
    print(f"{where}: {len(found)} faults, after {time.perf_counter() - begun:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
