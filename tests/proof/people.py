"""People with a browser: everybody at every charity, who read their mail and answer, and a coordinator at her desk."""

import base64
import heapq
import html.parser
import http.client
import http.cookiejar
import itertools
import random
import re
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from email import message_from_bytes

PASSWORD = "three random words"
FAILURES = (OSError, urllib.error.URLError, http.client.HTTPException)


class Forms(html.parser.HTMLParser):
    """The forms of a page: address → hidden fields."""

    def __init__(self, page):
        super().__init__()
        self.forms, self.current = {}, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "form":
            self.current = self.forms.setdefault(values.get("action", ""), {})
        elif tag == "input" and self.current is not None and values.get("type") == "hidden":
            self.current[values.get("name")] = values.get("value", "")

    def handle_endtag(self, tag):
        if tag == "form":
            self.current = None


class Browser:
    """One visitor with a cookie jar. `base` is where the pages are to be had now, whatever a link in a mail says."""

    def __init__(self, base):
        self.base = base
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)

    def open(self, path, fields=None):
        body = None if fields is None else urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(self.base + urllib.parse.urlsplit(path)._replace(scheme="", netloc="").geturl(), body)
        if body is not None:
            request.add_header("origin", self.base)
        with self.opener.open(request, timeout=20) as answer:
            return answer.read().decode()

    def submit(self, page, ending, filled):
        for action, hidden in Forms(page).forms.items():
            if action.endswith(ending):
                return self.open(action, {**hidden, **filled})
        return None


class Partners:
    """Everybody at every charity: reads each new mail, answers it, and tells how it goes, one step at a time. Several of
    them at once; whatever goes wrong (the service is down) is tried again from what the page then shows."""

    def __init__(self, mails, bases, threads):
        self.mails, self.bases = mails, bases
        self.over, self.lock = threading.Event(), threading.Lock()
        self.away, self.steps = False, 0
        self.links, self.told, self.due, self.counter = {}, set(), [], itertools.count()
        self.busy, self.idle_since = 0, time.monotonic()
        jobs = [self.read_mails] + [self.work] * threads
        self.threads = [threading.Thread(target=job, daemon=True) for job in jobs]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def read_mails(self):
        """Mails are numbered by the peers, without gaps."""
        number = 1
        while not self.over.is_set():
            path = self.mails / f"{number:06}.eml"
            if not path.exists():
                time.sleep(0.02)
                continue
            number += 1
            about, kind, link = read_mail(path)
            if kind == "offer":
                with self.lock:
                    self.told.add(about)
                    if link and link not in self.links:
                        self.links[link] = "asked"
                        self.put_off(link, 0)

    def put_off(self, link, seconds):
        heapq.heappush(self.due, (time.monotonic() + seconds, next(self.counter), link))
        self.idle_since = time.monotonic()

    def work(self):
        chance = random.Random()
        while not self.over.is_set():
            with self.lock:
                link = None
                if not self.away and self.due and self.due[0][0] <= time.monotonic():
                    link = heapq.heappop(self.due)[2]
                    self.busy += 1
            if link is None:
                time.sleep(0.02)
                continue
            wait = self.step(link, chance.choice(self.bases()))
            with self.lock:
                self.busy -= 1
                if wait is None:
                    self.links[link] = "done"
                    self.idle_since = time.monotonic()
                else:
                    self.put_off(link, wait)

    def step(self, link, base):
        """One step; gives the seconds until the next one, or nothing where there is none."""
        browser = Browser(base)
        try:
            page = browser.open(link)
            says_no = base64.urlsafe_b64decode(link.rsplit("/", 1)[1] + "==")[0] % 5 == 0
            if any(action.endswith("/yes") for action in Forms(page).forms):
                if says_no:
                    why = browser.open(f"{link}/no")
                    browser.submit(why, "/no", {"reason": "22", "words": "No room until spring."})
                else:
                    browser.submit(page, "/yes", {})
            elif "/tell/started" in page:
                if "/tell/booked" in page:
                    browser.submit(page, "/code", {})
                    browser.submit(browser.open(f"{link}/tell/booked"), "/tell/booked", {})
                else:
                    scores = {"satisfied": 3, "worthwhile": 4, "happy": 3, "anxious": 7}
                    browser.submit(browser.open(f"{link}/tell/started"), "/tell/started", scores)
            elif "/tell/finished" in page:
                told = {"tried": "Visits.", "satisfied": 7, "worthwhile": 7, "happy": 7, "anxious": 2}
                browser.submit(browser.open(f"{link}/tell/finished"), "/tell/finished", told)
            else:
                return None
            self.steps += 1
            return 0
        except FAILURES:
            time.sleep(0.1)  # Nobody there: this pair of hands waits, whatever else lies before it.
            return 0.1

    def is_told(self, offers):
        return any(offer in self.told for offer in offers)

    def at_rest(self):
        with self.lock:
            return not self.due and not self.busy and time.monotonic() - self.idle_since > 1


def read_mail(path):
    """What a mail is about, its kind and its link; read quickly, since there are many."""
    message = message_from_bytes(path.read_bytes())
    about, _, rest = message["message-id"].strip("<> \n").split("@")[0].partition(".")
    kind, link = rest.split(".")[0], None
    if kind == "offer":
        plain = next(part for part in message.walk() if part.get_content_type() == "text/plain")
        found = re.search(r"https?://\S+/answer/[\w-]+", plain.get_payload(decode=True).decode())
        link = found and urllib.parse.urlsplit(found.group())._replace(scheme="", netloc="").geturl()
    return about, kind, link


def confirm_partners(replica, partners):
    """A coordinator gets an account and confirms every partner at her desk, once the directory is there."""
    added = replica.command("user", "add", "jo", "--name", "Jo Field", "--programme", "leeds", typed=PASSWORD + "\n")
    if added.returncode != 0:
        sys.exit(f"no account could be made: {added.stderr}")
    browser = Browser(replica.base)
    browser.submit(browser.open("/desk/sign-in"), "/sign-in", {"user": "jo", "password": PASSWORD})
    for partner in partners:
        filled = {"email": f"referrals@{partner}.example", "agreement": "Takes referrals by email."}
        for _ in range(100):
            try:
                form = browser.open(f"/desk/partner?programme=leeds&service={partner}-befriending")
                if browser.submit(form, "/partner", filled) is not None:
                    break
            except FAILURES:
                pass
            time.sleep(0.1)
        else:
            sys.exit("the desk has no form to confirm a partner")
