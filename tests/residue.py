#!/usr/bin/env python3
"""The residue judge: what a run left on the machine, told from outside. It shares no code with the harness.

    residue.py snapshot --mark M --watch FOLDER…                    what is there, as JSON
    residue.py compare BEFORE --mark M --watch FOLDER… [--during D] [--within S] [--allow GLOB…]

`compare` prints one line for each thing that is there now, was not there BEFORE, and is the run's: processes, sockets,
mounts, cgroups, shared memory, network interfaces and namespaces with what is in them (links, queues, tables of rules), files. It exits 0 when there is none, 1 when there is any. A process
is the run's when M stands in its environment or arguments, or when it runs a program or in a folder below --watch: other
people's work on the same machine is none of our business. A cgroup without processes, or a file in the system's own places, is
the run's when --name stands in its path (`peakdrill` unless said: where drills run side by side, each has a name of its own);
a network namespace, and an interface, when it stands in its name or in its alias. --during is a snapshot taken while the run was going on; its
listening ports must be free again. It looks again until --within seconds are over.
"""
import argparse
import fnmatch
import json
import os
import subprocess
import sys
import time


def text(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def entries(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def processes(mark, watch):
    found = {}
    for pid in entries("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        stat = text(f"/proc/{pid}/stat").decode(errors="replace")
        if ")" not in stat:
            continue
        fields = stat[stat.rindex(")") + 2:].split()
        if fields[0] in "ZX":
            continue
        arguments = text(f"/proc/{pid}/cmdline")
        below = [link(f"/proc/{pid}/{what}").removesuffix(" (deleted)") for what in ("exe", "cwd")]
        ours = (
            mark.encode() in text(f"/proc/{pid}/environ")
            or mark.encode() in arguments
            or any(path == folder or path.startswith(folder + "/") for path in below for folder in watch)
        )
        words = arguments.replace(b"\0", b" ").decode(errors="replace").strip()
        found[f"{pid}@{fields[19]}"] = {"ours": ours, "words": words or stat[: stat.rindex(")") + 1]}
    return found


def limits(running):
    """What each of the run's processes may have, and which cgroups it is in: whoever has other ones than before was left so."""
    found = {}
    for key, process in running.items():
        pid = key.split("@")[0]
        rows = text(f"/proc/{pid}/limits").decode(errors="replace").splitlines()
        soft = [row.split()[3] for row in rows if row.startswith(("Max open files", "Max address space"))]
        groups = sorted(text(f"/proc/{pid}/cgroup").decode(errors="replace").split())
        found[f"{key} {' '.join(soft)} {' '.join(groups)}"] = {"ours": process["ours"]}
    return found


def owners():
    held = {}
    for pid in entries("/proc"):
        if pid.isdigit():
            for fd in entries(f"/proc/{pid}/fd"):
                to = link(f"/proc/{pid}/fd/{fd}")
                if to.startswith("socket:["):
                    held.setdefault(to[8:-1], set()).add(int(pid))
    return held


def sockets(running):
    """Listening and connected sockets of the run's processes, and listening ones that nobody holds."""
    ours = {int(key.split("@")[0]) for key, process in running.items() if process["ours"]}
    held, found = owners(), {}
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for row in text(f"/proc/net/{kind}").decode().splitlines()[1:]:
            fields = row.split()
            address, state, inode = fields[1], fields[3], fields[9]
            port = int(address.rsplit(":", 1)[1], 16)
            by = held.get(inode, set())
            listens = state == "0A"
            if by & ours or (listens and not by):
                found[f"{kind} {address} {inode}"] = {"ours": True, "port": port if listens else 0}
    for row in text("/proc/net/unix").decode(errors="replace").splitlines()[1:]:
        fields = row.split()
        if len(fields) > 7 and held.get(fields[6], set()) & ours:
            found[f"unix {fields[7]} {fields[6]}"] = {"ours": True, "port": 0}
    return found


def listening():
    """Every port that anybody listens on, and whether a process is known to hold it."""
    held, found = owners(), {}
    for kind in ("tcp", "tcp6"):
        for row in text(f"/proc/net/{kind}").decode().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A":
                found[int(fields[1].rsplit(":", 1)[1], 16)] = sorted(held.get(fields[9], set()))
    return found


def cgroups(running, name):
    """Folders of every cgroup hierarchy. One that holds only other people's processes is other people's."""
    ours = {int(key.split("@")[0]) for key, process in running.items() if process["ours"]}
    roots = []
    for row in text("/proc/self/mountinfo").decode().splitlines():
        before, _, after = row.partition(" - ")
        if after.startswith("cgroup"):
            roots.append(before.split()[4])
    found = {}
    for root in roots:
        for folder, _, _ in os.walk(root):
            members = {int(pid) for pid in text(f"{folder}/cgroup.procs").split()}
            found[folder] = {"ours": bool(members & ours) or (not members and name in folder)}
    return found


def named(paths):
    return {path: {"ours": True} for path in paths}


def asked(*words):
    """What a program tells as JSON; nothing where it is missing, or what it is asked about is."""
    try:
        told = subprocess.run(words, capture_output=True, timeout=10).stdout
        return json.loads(told or b"[]")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []


def networks(name):
    """Interfaces of this machine, and namespaces with their links, queues and tables of rules."""
    found = {}
    for link in asked("ip", "-j", "link", "show"):
        ours = name in link["ifname"] or name in link.get("ifalias", "")
        found[f"interface {link['ifname']}"] = {"ours": ours, "words": link.get("ifalias", "")}
    for pin in entries("/run/netns"):
        ours = name in pin
        found[f"namespace {pin}"] = {"ours": ours}
        if not ours:
            continue
        for link in asked("ip", "-n", pin, "-j", "link", "show"):
            found[f"namespace {pin} link {link['ifname']}"] = {"ours": True}
        for queue in asked("tc", "-n", pin, "-j", "qdisc", "show"):
            found[f"namespace {pin} queue {queue['kind']} of {queue.get('dev')}"] = {"ours": True}
        tables = asked("ip", "netns", "exec", pin, "nft", "-j", "list", "tables")
        for one in tables["nftables"] if tables else []:
            if "table" in one:
                found[f"namespace {pin} table {one['table']['name']}"] = {"ours": True}
    return found


def mounts(rows, name):
    """A pin of a namespace is the run's by its name; the folder of pins is everybody's."""
    found = {}
    for row in rows:
        point = row.split()[4]
        ours = name in point if point.startswith(("/run/netns", "/var/run/netns")) else True
        found[" ".join(row.split()[3:5]) + " " + row.split(" - ")[1]] = {"ours": ours}
    return found


def shared_memory(name):
    found = [f"{folder}/{entry}" for folder in ("/dev/shm", "/dev/mqueue") for entry in entries(folder)]
    for kind in ("shm", "sem", "msg"):
        for row in text(f"/proc/sysvipc/{kind}").decode().splitlines()[1:]:
            found.append(f"sysv {kind} {row.split()[1]}")
    # What clocks share stands under a run's name, and others' runs go on meanwhile.
    return {path: {"ours": "peakdrill-clock-" not in path or name in path} for path in found}


def files(watch, mark, name):
    found = []
    for folder in watch:
        for at, folders, names in os.walk(folder):
            found += [os.path.join(at, name) for name in folders + names]
    for folder in ("/tmp", "/var/tmp", "/run", "/run/user/0", "/var/run/netns"):
        found += [f"{folder}/{entry}" for entry in entries(folder) if mark in entry or name in entry]
    return named(found)


def snapshot(mark, watch, name):
    running = processes(mark, watch)
    rows = text("/proc/self/mountinfo").decode().splitlines()
    return {
        "process": running,
        "limit": limits(running),
        "socket": sockets(running),
        "mount": mounts(rows, name),
        "cgroup": cgroups(running, name),
        "shared memory": shared_memory(name),
        "network": networks(name),
        "file": files(watch, mark, name),
    }


def left(before, now, during, allowed):
    found = []
    for kind, things in now.items():
        for name, facts in things.items():
            if name in before[kind] or not facts["ours"] or any(fnmatch.fnmatch(name, glob) for glob in allowed):
                continue
            found.append(f"{kind} {name} {facts.get('words', '')}".strip())
    if during:
        ports = {socket["port"] for socket in during["socket"].values()} - {0}
        ports -= {socket["port"] for socket in before["socket"].values()}
        mine = {int(key.split("@")[0]) for key, process in now["process"].items() if process["ours"]}
        for port, by in listening().items():
            if port in ports and (not by or mine & set(by)):
                found.append(f"port {port} is still listened on")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["snapshot", "compare"])
    parser.add_argument("before", nargs="?")
    parser.add_argument("--mark", required=True)
    parser.add_argument("--watch", action="append", default=[])
    parser.add_argument("--name", default="peakdrill")
    parser.add_argument("--during")
    parser.add_argument("--within", type=float, default=0)
    parser.add_argument("--allow", action="append", default=[])
    asked = parser.parse_args()
    watch = [os.path.realpath(folder) for folder in asked.watch]
    if asked.what == "snapshot":
        json.dump(snapshot(asked.mark, watch, asked.name), sys.stdout)
        return 0
    before = json.loads(text(asked.before))
    during = json.loads(text(asked.during)) if asked.during else None
    until = time.monotonic() + asked.within
    while True:
        found = left(before, snapshot(asked.mark, watch, asked.name), during, asked.allow)
        if not found or time.monotonic() >= until:
            break
        time.sleep(0.05)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
