#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command in a VTE terminal and prints what its screen shows at the end, a row a line.

vte_screen.py COLUMNS ROWS COMMAND...; needs a display. The command ends when all is shown.
"""
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Vte", "2.91")
from gi.repository import GLib, Gtk, Vte  # noqa: E402


def main():
    columns, rows = int(sys.argv[1]), int(sys.argv[2])
    terminal = Vte.Terminal()
    terminal.set_size(columns, rows)
    window = Gtk.Window()
    window.add(terminal)
    window.show_all()

    def show(*_):
        for row in range(rows):
            print(terminal.get_text_range(row, 0, row, columns, None)[0].rstrip("\n"))
        Gtk.main_quit()

    terminal.connect("child-exited", show)
    terminal.spawn_async(Vte.PtyFlags.DEFAULT, None, sys.argv[3:], None, GLib.SpawnFlags.DEFAULT,
                         None, None, -1, None, None)
    Gtk.main()


main()
