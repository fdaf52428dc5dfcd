"""The page as people have it: looked at, clicked, read by keyboard and screen reader, without a script, in the dark."""

import json

import pytest

from flowspec.emulator.http import Endpoint
from flowspec.pipeline import make_report
from flowspec.site import respond_with_page
from tests.emulator.conftest import bash
from tests.endpoints import serving
from tests.report.page.conftest import made_up, run
from tests.waiting import wait_until

EVIL = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
# WCAG 2.2, relative luminance and contrast.
CONTRAST = """(selector) => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    return colour === 'rgba(0, 0, 0, 0)' ? behind(one.parentElement) : colour;
  };
  const one = document.querySelector(selector);
  const pair = [light(getComputedStyle(one).color), light(behind(one))].sort((a, b) => b - a);
  return (pair[0] + 0.05) / (pair[1] + 0.05);
}"""


@pytest.fixture(scope="module")
def red(runs, tmp_path_factory):
    """The file of the report of a failed run."""
    path = tmp_path_factory.mktemp("report") / "run.html"
    path.write_text(make_report(runs.connection, runs.red).as_html())
    return path.as_uri()


def saved(report, folder):
    path = folder / "run.html"
    path.write_text(report.as_html())
    return path.as_uri()


@pytest.mark.parametrize("width", [1200, 390])
def test_the_cause_is_seen_first_and_nothing_is_wider_than_the_screen(browser, red, width):
    with browser.open(red, width=width) as page:
        assert page.eval("document.querySelector('.cause').getBoundingClientRect().top") < 900
        assert page.eval("document.querySelector('h2').textContent") == "Why it failed"
        assert page.eval("document.documentElement.scrollWidth") <= width


def test_it_asks_for_nothing_and_the_browser_has_nothing_to_complain_of(browser, red):
    with browser.open(red) as page:
        page.eval("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.requested() == [red]
        assert page.complaints() == []


def test_each_link_leads_to_a_part_of_the_page(browser, red):
    with browser.open(red) as page:
        assert page.eval("document.querySelectorAll('a').length") > 8
        assert page.eval("[...document.links].filter((one) => !document.getElementById(one.hash.slice(1))).length") == 0


def test_a_link_unfolds_the_step_that_it_leads_to(browser, red):
    with browser.open(red) as page:
        page.click("[data-fold='#steps']")
        assert page.eval("document.querySelectorAll('#steps details[open]').length") == 0
        page.click(".failure a")
        page.until("document.querySelectorAll('#steps details[open]').length === 1")
        page.until("document.querySelector('#steps details[open]').getBoundingClientRect().top < 900")
        # Once more, although the address stays the same.
        page.click("[data-fold='#steps']")
        page.click(".failure a")
        page.until("document.querySelectorAll('#steps details[open]').length === 1")


def test_folding_by_mouse_and_by_keyboard(browser, red):
    with browser.open(red) as page:
        page.click("[data-fold='#steps']")
        page.click("#step-1 > summary")
        page.until("document.querySelector('#step-1').open")
        page.eval("document.querySelector('#step-1 > summary').focus()")
        page.press("Enter")
        page.until("!document.querySelector('#step-1').open")
        page.click("[data-unfold='#steps']")
        assert page.eval("document.querySelectorAll('#steps details:not([open])').length") == 0


def test_the_keyboard_begins_with_the_way_past_everything(browser, red):
    with browser.open(red) as page:
        page.press("Tab")
        assert page.eval("document.activeElement.textContent") == "Skip to the content"
        assert page.eval("document.activeElement.getBoundingClientRect().left") >= 0
        page.press("Enter")
        page.until("document.activeElement.id === 'main'")


def test_copy_buttons_copy(browser, red, runs):
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    with browser.open(red) as page:
        for selector, text in (
            ("dd [data-copy]", runs.red),
            (".failure [data-copy]", f"flowspec logs {runs.red} --step "),
        ):
            page.click(selector)
            page.until(f"document.querySelector({json.dumps(selector)}).textContent === 'Copied'")
            assert page.eval("navigator.clipboard.readText()").startswith(text)
            assert page.eval("document.getElementById('announce').textContent") == "Copied"


def test_the_cause_is_marked_in_the_log_and_in_view(browser, red):
    with browser.open(red) as page:
        assert page.eval("document.querySelector('#steps mark').textContent").startswith('  File "<string>"')
        log = "document.querySelector('#steps mark').closest('pre').getBoundingClientRect()"
        mark = "document.querySelector('#steps mark').getBoundingClientRect()"
        assert page.eval(f"{log}.top <= {mark}.top && {mark}.bottom <= {log}.bottom")


def test_without_a_script_all_is_there_but_the_buttons(browser, red):
    with browser.open(red, script=False) as page:
        assert page.eval("[...document.querySelectorAll('button')].filter((one) => one.offsetParent).length") == 0
        assert page.eval("document.querySelector('.cause').offsetHeight") > 0
        assert page.eval("document.querySelector('#step-1').open") is False
        page.click("#step-1 > summary")
        page.until("document.querySelector('#step-1').open")


def test_code_in_a_sentence_is_code_and_has_no_backquotes(browser, red, tmp_path):
    with browser.open(red) as page:
        assert "`" not in page.eval("document.querySelector('.failure').innerText")
        assert page.eval("document.querySelector('.failure p:not(.cause) code').textContent") == "python:"
    with browser.open(saved(made_up(notes=("`flowspec <x>` is code",)), tmp_path)) as page:
        assert page.eval("document.querySelector('#notes li').innerHTML") == "<code>flowspec &lt;x&gt;</code> is code"


def test_ids_and_arguments_of_a_step_are_whole_on_a_narrow_screen(browser, red):
    with browser.open(red, width=390) as page:
        page.eval("document.querySelectorAll('#steps details').forEach((one) => { one.open = true; })")
        assert page.eval("document.querySelector('.step dd code').getClientRects().length") == 1
        # An argument that is longer than a line begins in the line of its indentation.
        tops = (
            "[...document.querySelectorAll('.step div.copyable code')].map((one) => one.firstChild)"
            ".filter((one) => one.data.includes('\\n  /')).map((text) => [1, 3].map((past) => {"
            "const range = document.createRange(); const at = text.data.indexOf('\\n  /') + past;"
            "range.setStart(text, at); range.setEnd(text, at + 1); return range.getBoundingClientRect().top; }))"
        )
        found = page.eval(tops)
        assert found
        assert [before for before, _ in found] == [after for _, after in found]


def test_a_table_of_counters_has_its_height_before_it_is_scrolled_to(browser, red):
    """An estimate in its place leaves a hole, and moves what is below it."""
    with browser.open(red) as page:
        page.eval("document.querySelector('#step-2').open = true")
        table = (
            "document.querySelector('#step-2 .wide').offsetHeight, document.querySelector('#step-2 table').offsetHeight"
        )
        assert page.eval(f"((outer, inner) => outer - inner)({table})") < 20


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "selector", ["h1", ".cause", ".note", ".place", "a", ".status.bad", "#steps .line", "mark", "button"]
)
def test_texts_can_be_read_in_light_and_dark(browser, red, selector, dark):
    with browser.open(red, dark=dark) as page:
        assert page.eval(f"({CONTRAST})({json.dumps(selector)})") >= 4.5


def test_light_and_dark_are_as_the_reader_has_it(browser, red):
    with browser.open(red) as page:
        light = page.eval("getComputedStyle(document.documentElement).backgroundColor")
        page.media("screen", dark=True)
        assert light == "rgb(255, 255, 255)"
        assert page.eval("getComputedStyle(document.documentElement).backgroundColor") == "rgb(20, 23, 27)"


def test_it_can_be_printed(browser, red):
    with browser.open(red, dark=True) as page:
        assert page.pdf().startswith(b"%PDF")
        # Unfolded for the printer, and folded again.
        page.until("document.querySelectorAll('details.step:not([open])').length === 2")
        page.media("print", dark=True)
        assert page.eval("getComputedStyle(document.querySelector('button')).display") == "none"
        assert page.eval("getComputedStyle(document.documentElement).color") == "rgb(0, 0, 0)"


def test_names_can_run_nothing(browser, tmp_path):
    report = made_up([(EVIL, "COMPLETED")], cluster={"name": EVIL}, notes=(EVIL,))
    with browser.open(saved(report, tmp_path)) as page:
        assert page.eval("document.querySelector('h1').textContent").startswith(EVIL)
        assert page.eval("typeof window.hacked") == "undefined"
        assert page.complaints() == []


def test_the_policy_holds_even_for_html_that_gets_in(browser, tmp_path):
    path = tmp_path / "run.html"
    path.write_text(made_up().as_html().replace("<h1>", f"<h1>{EVIL}"))
    with browser.open(path.as_uri()) as page:
        assert page.eval("typeof window.hacked") == "undefined"
        assert page.complaints()


def test_ten_thousand_steps_are_unfolded_by_a_click(browser, tmp_path):
    report = made_up([(f"step {number}", "COMPLETED") for number in range(10_000)])
    with browser.open(saved(report, tmp_path)) as page:
        assert page.eval("document.body.scrollHeight") < 12_000
        page.click("[data-unfold='#timeline']")
        page.until("document.querySelectorAll('#timeline details[open]').length === 100")


# -- the pages of the emulator


@pytest.fixture(scope="module")
def site(runs):
    server = Endpoint(lambda region: runs.service, region="us-east-1", pages=respond_with_page)
    with serving(server):
        yield server.url


def test_no_row_of_a_table_is_squeezed_on_a_narrow_screen(browser, site, red, runs):
    # Clusters that other tests leave on the home may have reasons of any length: only these two are looked at.
    ours = f"(one) => !/j-/.test(one.innerText) || /{runs.green}|{runs.red}/.test(one.innerText)"
    for url in (f"{site}/", red):
        with browser.open(url, width=390) as page:
            assert page.eval("document.documentElement.scrollWidth") <= 390
            shown = "(one) => one.offsetParent && !one.closest('.changes')"
            rows = f"[...document.querySelectorAll('tr')].filter({shown}).filter({ours})"
            tallest = f"{rows}.sort((one, other) => other.offsetHeight - one.offsetHeight)[0]"
            assert page.eval(f"{tallest}.offsetHeight") < 110, page.eval(f"{tallest}.outerHTML")


def test_from_all_clusters_to_one(browser, site, runs):
    with browser.open(f"{site}/") as page:
        page.click(f"a[href='/clusters/{runs.red}']")
        page.until("document.title === 'step failed: nightly'")
        assert page.complaints() == []
        page.click(".up a")
        page.until("document.title === 'Clusters of the embedded EMR'")


def test_a_page_follows_its_cluster(browser, site, runs, tmp_path):
    go, end = tmp_path / "go", tmp_path / "end"
    waiting = f"echo first; until [ -e {go} ]; do sleep 0.1; done; echo second; until [ -e {end} ]; do sleep 0.1; done"
    cluster_id = run(runs.emr, bash(waiting, name="long"))
    wait_until(lambda: "first" in _log(runs, cluster_id), lambda: "it has not begun")
    with browser.open(f"{site}/clusters/{cluster_id}") as page:
        page.eval("window.kept = 1; document.querySelector('#request').open = true")
        page.eval("document.querySelector('#request > summary').focus()")
        go.touch()
        page.until("document.querySelector('#step-1-stdout').textContent.includes('second')")
        assert page.eval("[window.kept, document.querySelector('#request').open]") == [1, True]
        assert page.eval("document.activeElement.textContent") == "The whole request, without its steps"
        end.touch()
        page.until("document.title === 'succeeded: nightly'")
        assert page.eval("document.getElementById('announce').textContent") == "succeeded: nightly"
        # What has ended is not asked for any more.
        page.until("!document.documentElement.dataset.live")
        assert page.complaints() == []


def _log(runs, cluster_id):
    path = runs.emr.logs(cluster_id) / "stdout"
    return path.read_text() if path.exists() else ""


def test_without_a_script_a_page_reads_itself_again(browser, site):
    with browser.open(f"{site}/", script=False) as page:
        assert page.eval("document.querySelector('meta[http-equiv=refresh]').content") == "10"
        assert page.complaints() == []


# -- axe-core on all pages


@pytest.fixture
def pages(red, site, runs, tmp_path):
    """The URLs of pages by what they are."""
    many = made_up([(f"{EVIL} {number}", "COMPLETED") for number in range(120)], cluster={"name": EVIL}, notes=(EVIL,))
    return {
        "a report of a failed run": red,
        "a report of many steps": saved(many, tmp_path),
        "the emulator's clusters": f"{site}/",
        "the emulator's page of a run": f"{site}/clusters/{runs.green}",
    }


def violations(page, **options):
    """What axe-core finds on a page that has it: the impact, the rule and the first element of each violation."""
    run = f"axe.run({json.dumps({'resultTypes': ['violations'], **options})})"
    return page.eval(f"{run}.then((told) => told.violations.map((one) => [one.impact, one.id, one.nodes[0].html]))")


def test_axe_finds_nothing(browser, pages, axe):
    for what, url in pages.items():
        with browser.open(url) as page:
            page.eval("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            page.eval(f"{axe}; 0")
            assert violations(page) == [], what
            # Nothing but the colours depends on the reader's scheme.
            page.media("screen", dark=True)
            assert violations(page, runOnly=["color-contrast"]) == [], f"{what}, dark"


def test_axe_finds_what_is_wrong(browser, axe, tmp_path):
    faulty = made_up().as_html().replace("<h1>", "<img src='data:,'><h1>")
    path = tmp_path / "run.html"
    path.write_text(faulty)
    with browser.open(path.as_uri()) as page:
        page.eval(f"{axe}; 0")
        assert "image-alt" in {rule for _, rule, _ in violations(page)}
