"""An asv plugin: ``asv publish`` puts the scripts its pages use beside them, so they need no network.

asv's index page loads jQuery, Flot and Bootstrap from content delivery networks. Named under "plugins" in
asv.conf.json, this module replaces those links by copies of the same releases, which ``npm pack`` fetches
once, while publishing. Without npm the page stays as asv makes it.
"""

import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

from asv.console import log
from asv.publishing import OutputPublisher

# file name in asv's links -> npm release, path in it
FILES = {
    "jquery-3.3.1.min.js": ("jquery@3.3.1", "dist/jquery.min.js"),
    "jquery.flot.min.js": ("flot@0.8.3", "jquery.flot.js"),
    "jquery.flot.time.min.js": ("flot@0.8.3", "jquery.flot.time.js"),
    "jquery.flot.selection.min.js": ("flot@0.8.3", "jquery.flot.selection.js"),
    "jquery.flot.categories.min.js": ("flot@0.8.3", "jquery.flot.categories.js"),
    "jquery.flot.orderBars.js": ("flot-orderbars@1.0.0", "js/jquery.flot.orderBars.js"),
    "stupidtable.min.js": ("stupid-table-plugin@1.1.3", "stupidtable.min.js"),
    "md5.min.js": ("blueimp-md5@2.19.0", "js/md5.min.js"),
    "bootstrap.min.js": ("bootstrap@3.1.1", "dist/js/bootstrap.min.js"),
    "bootstrap.min.css": ("bootstrap@3.1.1", "dist/css/bootstrap.min.css"),
}
LINK = re.compile(r'(src|href)="https?://[^"]*/([^"/]+\.(?:js|css))"[^>]*>')


def fetch(folder: Path) -> None:
    """Write the files of the table to the folder."""
    with tempfile.TemporaryDirectory() as packed:
        for release in sorted({release for release, _ in FILES.values()}):
            command = ["npm", "pack", "--silent", "--pack-destination", packed, release]
            name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
            with tarfile.open(Path(packed, name)) as archive:
                for file, (origin, path) in FILES.items():
                    if origin == release:
                        (folder / file).write_bytes(archive.extractfile(f"package/{path}").read())


class Offline(OutputPublisher):
    name = "offline"
    button_label = None
    description = "Scripts and style sheets beside the page"

    @classmethod
    def publish(cls, conf, repo, benchmarks, graphs, revisions):
        index = Path(conf.html_dir, "index.html")
        vendor = index.parent / "vendor"
        vendor.mkdir(exist_ok=True)
        try:
            fetch(vendor)
        except (OSError, subprocess.CalledProcessError) as error:
            log.warning(f"The page will load its scripts from the network: npm pack failed ({error})")
            return

        def local(link):
            return f'{link[1]}="vendor/{link[2]}">' if link[2] in FILES else link[0]

        index.write_text(LINK.sub(local, index.read_text()))
        if left := [link[0] for link in LINK.finditer(index.read_text())]:
            log.warning(f"The page still loads from the network: {left}")
