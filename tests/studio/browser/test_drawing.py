"""The modules that ask, draw and speak, each on what is known by counting or by hand."""

import pytest

from studio_page import TOKEN

pytestmark = pytest.mark.browser


@pytest.fixture
def run(opened):
    """Runs the body of a function in a page of the studio, with what it imports."""
    page = opened(f"/#token={TOKEN}")
    return lambda body, *arguments: page.evaluate("async ([...a]) => {" + body + "}", list(arguments))


def test_of_what_is_asked_only_the_latest_is_sent_on(run):
    # Eleven races and a surface are asked at once, and the first race is answered. The next one never is.
    sent, heard = run("""
      const { Connection } = await import("/static/common/connection.js");
      const sockets = [];
      const RealSocket = globalThis.WebSocket;
      globalThis.WebSocket = class {
        constructor() { this.sent = []; sockets.push(this); }
        send(text) { this.sent.push(JSON.parse(text)); }
      };
      const heard = [];
      const connection = new Connection({ token: "x", onFrame: (header, body, kept) => heard.push([header.id, kept]) });
      globalThis.WebSocket = RealSocket;
      const answer = (id) => {
        const header = new TextEncoder().encode(JSON.stringify({ kind: "done", id, last: true }).padEnd(40));
        const frame = new Uint8Array(44);
        new DataView(frame.buffer).setUint32(0, 40, true);
        frame.set(header, 4);
        sockets[0].onmessage({ data: frame.buffer });
      };
      for (let start = 0; start <= 10; start += 1) connection.ask({ kind: "race", start }, `race ${start}`);
      connection.ask({ kind: "surface" }, "surface");
      answer(1);
      connection.ask({ kind: "race", start: 11 }, "race 11");
      connection.ask({ kind: "race", start: 12 }, "race 12");
      const before = sockets[0].sent.length;
      await new Promise((done) => setTimeout(done, 400));
      answer(3);
      return [sockets[0].sent.map(({ id, start }) => [id, start ?? null]).concat([before]), heard];
    """)
    assert sent == [[1, 0], [2, None], [3, 10], [4, 12], 3]
    # The answer to a race that a newer one took the place of says nothing any more.
    assert heard == [[1, "race 0"], [3, None]]


def test_lines_lie_where_the_height_is_a_level(run):
    # Heights that rise evenly from left to right, from 0 to 1: the lines are uprights, at k / BANDS of the width.
    on, off = run("""
      const { contourLines, BANDS } = await import("/static/picture/contours.js");
      const heights = Float32Array.from({ length: 21 * 9 }, (_, index) => (index % 21) / 20);
      const path = contourLines(heights, [21, 9], 900, 400);
      const context = document.createElement("canvas").getContext("2d");
      context.lineWidth = 2;
      const hit = (x, y) => context.isPointInStroke(path, x, y);
      const places = Array.from({ length: BANDS - 1 }, (_, k) => ((k + 1) / BANDS) * 900);
      return [places.map((x) => hit(x, 123)), places.map((x) => hit(x + 900 / BANDS / 2, 123))];
    """)
    assert on == [True] * 17
    assert off == [False] * 17


def test_lines_of_a_bowl_are_ellipses(run):
    far = run("""
      const { contourLines, BANDS } = await import("/static/picture/contours.js");
      const [columns, rows] = [101, 81];
      const at = (index) => [((index % columns) / 50 - 1), (Math.floor(index / columns) / 40 - 1)];
      const half = ([x, y]) => (x ** 2 + y ** 2) / 2;
      const heights = Float32Array.from({ length: columns * rows }, (_, index) => half(at(index)));
      const path = contourLines(heights, [columns, rows], 500, 400);
      const context = document.createElement("canvas").getContext("2d");
      context.lineWidth = 2;
      const radius = Math.sqrt((2 * 4) / BANDS);
      return Array.from({ length: 24 }, (_, k) => 0.1 + (k * Math.PI) / 12).filter((angle) =>
        !context.isPointInStroke(path, 250 + 250 * radius * Math.cos(angle), 200 - 200 * radius * Math.sin(angle)));
    """)
    assert far == []


def test_levels_go_from_the_lowest_to_the_highest_and_leave_out_what_is_no_number(run):
    levels = run("""
      const { levels } = await import("/static/picture/contours.js");
      return [...levels(Float32Array.from([5, NaN, 7, 1005, Infinity]))].map((one) => (Number.isNaN(one) ? null : one));
    """)
    assert levels[0] == 0
    assert levels[3] == pytest.approx(1)
    assert levels[1] is levels[4] is None
    assert 0 < levels[2] < 1


def test_a_line_of_a_million_steps_keeps_its_only_peak(run):
    top, seconds = run("""
      const { Chart } = await import("/static/picture/chart.js");
      const { Trail } = await import("/static/picture/trail.js");
      const steps = 1_000_000;
      const rows = new Float32Array((steps + 1) * 4).fill(1);
      rows[700_003 * 4 + 2] = 900;
      const canvas = document.createElement("canvas");
      canvas.style.cssText = "width: 700px; height: 200px";
      document.body.append(canvas);
      const begin = performance.now();
      const chart = new Chart(canvas, { onStep: () => {} });
      chart.draw({ balls: [{ mark: 0 }], trails: [new Trail(rows, { limit: null, says: "" })], step: 0, steps });
      const { data } = canvas.getContext("2d").getImageData(48 + 0.700003 * 636 - 2, 0, 5, 180);
      const seconds = (performance.now() - begin) / 1000;
      const blue = (row) => [0, 1, 2, 3, 4].map((x) => data.subarray((row * 5 + x) * 4, (row * 5 + x + 1) * 4)).some(
        ([red, , blue, alpha]) => red < 80 && blue > 100 && alpha > 50);
      canvas.remove();
      return [Array.from({ length: 180 }, (_, row) => row).findIndex(blue), seconds];
    """)
    assert 0 < top < 20
    assert seconds < 3


def test_a_ball_is_drawn_where_it_is(run):
    # At 1, -1 of a window from -2 to 2, on 400 × 400 pixels: 300 from the left, 300 from above.
    inside, outside = run("""
      const { drawBalls } = await import("/static/picture/balls.js");
      const { Plane } = await import("/static/picture/plane.js");
      const { Trail } = await import("/static/picture/trail.js");
      const { theme } = await import("/static/common/theme.js");
      const canvas = Object.assign(document.createElement("canvas"), { width: 400, height: 400 });
      const context = canvas.getContext("2d");
      const trail = new Trail(Float32Array.from([-1, 1, 3, 1, 1, -1, 2, 1]), { limit: null, says: "" });
      drawBalls(context, new Plane([-2, 2, -2, 2], 400, 400),
        { balls: [{ mark: 0 }], trails: [trail], step: 1, start: [-1, 1], minima: [] }, theme());
      const at = (x, y) => [...context.getImageData(x, y, 1, 1).data];
      return [at(294, 300), at(320, 300)];
    """)
    # #0072b2, off the letter in the middle.
    assert inside == pytest.approx([0, 0x72, 0xB2, 255], abs=3)
    assert outside[3] == 0


@pytest.mark.parametrize(("low", "high", "expected"), [
    (-3, 3, [-2, 0, 2]), (0, 1, [0, 0.5, 1]), (-1e-6, 1e-6, [-1e-6, 0, 1e-6]),
])
def test_ticks_are_round(run, low, high, expected):
    found = run('return (await import("/static/picture/axes.js")).ticks(a[0], a[1], 3);', low, high)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (0.01, "0.01"), (-1.5, "−1.5"), (1234, "1230"), (12345678, "1.23·10⁷"), (1e-30, "10⁻³⁰"),
    (-2e-5, "−2·10⁻⁵"),
])
def test_numbers_are_written_as_people_read_them(run, value, text):
    assert run('return (await import("/static/common/numbers.js")).short(a[0]);', value) == text


def test_words_tell_who_leads_and_who_left_when_and_why(run):
    say = """
      const { commentary } = await import("/static/picture/commentary.js");
      const { Trail } = await import("/static/picture/trail.js");
      const ball = (title, learning_rate) => ({ title, settings: { learning_rate } });
      const trail = (rows, limit) => new Trail(Float32Array.from(rows.flat()), { limit, says: "" });
      const stays = trail([[1, 1, 2, 9], [.5, .5, 1, 9], [.2, .2, .3, 9]], 2);
      const leads = trail([[1, 1, 2, 9], [.4, .4, .9, 9], [.1, .1, .2, 9]], null);
      const goes = trail([[1, 1, 2, 9], [3, 1, 99, 9], [NaN, NaN, NaN, NaN]], 2);
      const returns = trail([[1, 1, 2, 9], [3, 1, 99, 9], [1, 1, 2, 9]], 2);
      const all = { stays, leads, goes, returns };
      return commentary(a[0].map((name) => ball(name, .5)), a[0].map((name) => all[name]), a[1], [-2, 2, -2, 2]);
    """
    assert run(say, ["stays", "leads"], 0) == ""
    assert run(say, ["stays", "leads"], 1) == "leads leads."
    assert run(say, ["stays"], 2) == "stays runs alone."
    assert run(say, ["leads", "leads"], 2) == "leads and leads lead."
    left = "goes left the picture at step 1: rate × curvature 4.5, limit 2."
    assert run(say, ["stays", "goes"], 1) == f"stays runs alone. {left}"
    assert run(say, ["stays", "returns"], 2) == "stays leads."
