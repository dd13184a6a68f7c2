#!/usr/bin/env python3
"""Draws what `bench/link_table.py ccr --json FILE` measured: rate by window, one line for each round trip, both axes logarithmic.

  bench/window_chart.py FILE.json >bench/windows.svg

Dots are medians, the thin lines window / round trip, the grey line what the link carries. auto stands at the right."""

import json
import math
import statistics
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 70, 150, 30, 50
COLUMNS = {"64KiB": 1 << 16, "256KiB": 1 << 18, "1MiB": 1 << 20, "auto": 1 << 22}
COLOURS = ("#1b6ca8", "#c8553d", "#3f7d4e", "#7a4f9a")
LINK_MBIT = 941.5
LOW, HIGH = 3, 1500  # Mbit/s


def x_of(window):
    low, high = math.log(2 ** 15), math.log(2 ** 22.5)
    return LEFT + (math.log(window) - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def y_of(mbit):
    return HEIGHT - BOTTOM - (math.log(mbit) - math.log(LOW)) / (math.log(HIGH) - math.log(LOW)) * (HEIGHT - TOP - BOTTOM)


def line(points, colour, width, dashes=""):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'


def text(x, y, words, anchor="middle", colour="#333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def axes():
    parts = [line([(LEFT, y_of(LINK_MBIT)), (WIDTH - RIGHT, y_of(LINK_MBIT))], "#999", 1)]
    for mbit in (10, 100, 1000):
        parts += [line([(LEFT, y_of(mbit)), (WIDTH - RIGHT, y_of(mbit))], "#ddd", 1), text(LEFT - 8, y_of(mbit) + 4, str(mbit), "end")]
    parts += [text(x_of(at), HEIGHT - BOTTOM + 20, name) for name, at in COLUMNS.items()]
    parts += [text(WIDTH - RIGHT + 8, y_of(LINK_MBIT) + 4, "the link, 941", "start", "#777"), text(LEFT - 8, TOP - 10, "Mbit/s", "end"),
              text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "window")]
    return parts


def curve(link, medians, colour):
    seconds = float(link.split()[0]) / 1e3
    windows = [window for window in COLUMNS if window in medians and window != "auto"]
    expected = [(x_of(COLUMNS[window]), y_of(min(COLUMNS[window] * 8 / seconds / 1e6, LINK_MBIT))) for window in windows]
    parts = [line(expected, colour, 1, ' stroke-dasharray="4 3"')]
    parts += [f'<circle cx="{x_of(COLUMNS[window]):.1f}" cy="{y_of(rate):.1f}" r="4.5" fill="{colour}"/>' for window, rate in medians.items()]
    if windows:
        parts.append(text(x_of(COLUMNS[windows[0]]) - 10, y_of(medians[windows[0]]) + 4, link, "end", colour))
    return parts


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    links = {}
    with open(sys.argv[1]) as file:
        for row in json.load(file):
            if row["window"] in COLUMNS:
                links.setdefault(row["link"], {})[row["window"]] = statistics.median(one["mbit"] for one in row["rounds"])
    parts = axes()
    for colour, (link, medians) in zip(COLOURS, links.items()):
        parts += curve(link, medians, colour)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">')
    print('<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>", sep="\n")


if __name__ == "__main__":
    main()
