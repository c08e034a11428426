"""What the tests of reports read a page with."""

import base64
import gzip
import json
from html.parser import HTMLParser


class Page(HTMLParser):
    """The elements of a page, with the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self._script = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs).get("id", str(len(self.scripts)))
            self.scripts[self._script] = ""

    def handle_endtag(self, tag):
        self._script = None if tag == "script" else self._script

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[self._script] += data

    def json(self, name):
        return json.loads(self.scripts[name])

    def unpacked(self, name):
        return gzip.decompress(base64.b64decode(self.scripts[name]))
