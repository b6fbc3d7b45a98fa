// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Linux
import Testbed
import Testing

/// The program `nearside` itself: its output and its exit status.
struct CommandTests {
    private func run(_ arguments: String...) throws -> (status: Int32, output: String) {
        try ChildProcess.run("\(Place.programs)/nearside", arguments)
    }

    @Test(arguments: [
        "topology", "pairs", "devices", "slices", "explain", "doctor", "simulate", "capture", "demo", "claim", "validate", "cluster",
    ])
    func `the help of every command shows an example`(command: String) throws {
        let help = try run(command, "--help")
        #expect(help.status == 0)
        #expect(help.output.contains("Example"))
        #expect(help.output.contains("nearside \(command)"))
    }

    /// A daemon without a free descriptor would otherwise withdraw all devices.
    @Test
    func `a host that cannot be read for want of descriptors is an error, and not a host with fewer devices`() throws {
        let folder = try ScratchFolder()
        try TreeWriter.write(try Zoo.machine(), to: folder.path)
        func devices(_ limit: Int) throws -> (status: Int32, output: String) {
            let command = "ulimit -n \(limit); exec '\(Place.programs)/nearside' devices --host-root '\(folder.path)'"
            return try ChildProcess.run("/bin/bash", ["-c", command])
        }
        let all = try devices(64)
        #expect(all.status == 0 && all.output.contains("mlx5_core"))
        var failures = 0
        for limit in 4...12 {
            let found = try devices(limit)
            if found.status == 0 {
                #expect(found.output == all.output, "\(limit)")
            } else {
                failures += 1
                #expect(found.output.contains("Too many open files"), "\(limit): \(found.output)")
            }
        }
        #expect(failures > 0)
    }

    @Test
    func `what cannot be used is one line with what would be right, and its exit status`() throws {
        let folder = try ScratchFolder()
        try Files.write(folder("damaged.json"), "{\"apiVersion\": \"nearside/v1alpha1\", \"kind\": \"Machine\", \"functions\": [{}]}")
        for (arguments, status, text) in [
            (["pairs", "--machine", "p5"], Int32(1), "p5: neither a file nor an embedded machine; embedded machines are aws-g5, "),
            (["pairs", "--machine", folder("damaged.json")], 1, "machine description: functions[0].address: is missing"),
            (["topology", "--machine", "aws-p5", "--hint", folder("none.xml")], 1, "No such file"),
            (["explain", folder("damaged.json"), "--machine", "aws-p5"], 1, "not allocated"),
            (
                ["explain", "--devices", "0000:ff:00.0", "--machine", "aws-p5"], 1,
                "\"0000:ff:00.0\": neither an accelerator nor a NIC of p5.48xlarge"
            ),
            (["explain", "--devices", "0000:53:00.0,0000:93:00.0", "--machine", "aws-p5"], 2, "the pair's NICs are 0000:4f:00.0"),
            (["explain", "--devices", "0000:53:00.0,0000:4f:00.0", "--machine", "aws-p5"], 0, "100% of the best"),
            (["doctor", "--machine", "aws-p5"], 0, "no problem found"), (["doctor", "--machine", "aws-g6"], 2, "across NUMA nodes"),
            (["simulate", "--machine", "dgx-2"], 1, "no pairs"),
            (["simulate", "--machine", "aws-p5", "--claims", "x"], 64, "not a size and weight"),
            (
                ["simulate", "--machine", "aws-p5", "--claims", "4,16"], 1,
                "p5.48xlarge: no node can hold a claim for 16 accelerators; it has 8"
            ),
            (["simulate", "--machine", "aws-p6e-gb200"], 0, "pair devices"),
            (["simulate", "--machine", "all", "--nodes", "2"], 0, "ALL MACHINES"),
            (["pairs", "--fabric", "x", "--machine", "aws-p5"], 1, "--fabric: selector \"x\": "),
            (["explain"], 64, "set either CLAIM or --devices"),
            (["pairs", "--machine", "list"], 0, "aws-trn2"),
        ] {
            let ended = try ChildProcess.run("\(Place.programs)/nearside", arguments)
            #expect(ended.status == status, "\(arguments)")
            #expect(ended.output.contains(text), "\(arguments): \(ended.output)")
            if status == 1 { #expect(ended.output.split(separator: "\n").count == 1, "\(ended.output)") }
        }
    }

    @Test
    func `a live claim is read with kubectl, whose failures are reported`() throws {
        // A script stands in for kubectl: the test is about its output and its exit.
        let folder = try ScratchFolder()
        try Files.write(
            folder("kubectl"),
            """
            #!/bin/sh
            [ "$*" = "get resourceclaim -n default mine -o json" ] || { echo "not found: $*" >&2; exit 1; }
            # More than a pipe holds.
            head -c 200000 /dev/zero | tr '\\0' ' '
            echo '{"metadata": {"name": "mine"}, "status": {"allocation": {"devices": {"results": ['
            echo '{"request": "a", "driver": "d", "pool": "p", "device": "pci-0000-53-00-0"},'
            echo '{"request": "b", "driver": "d", "pool": "p", "device": "pci-0000-4f-00-0"}]}}}}'
            """)
        chmod(folder("kubectl"), 0o755)
        func explain(_ claim: String, path: String) throws -> (status: Int32, output: String) {
            try ChildProcess.run("/usr/bin/env", ["PATH=\(path)", "\(Place.programs)/nearside", "explain", claim, "--machine", "aws-p5"])
        }
        let path = "\(folder.path):/usr/bin:/bin"
        let found = try explain("default/mine", path: path)
        #expect(found.status == 0 && found.output.contains("100% of the best"), "\(found.output)")
        let missing = try explain("default/other", path: path)
        #expect(missing.status == 1 && missing.output.contains("default/other: kubectl did not get the claim"))
        let none = try explain("default/mine", path: "/nowhere")
        #expect(
            none.status == 1 && none.output.contains("kubectl cannot get a claim of that name: kubectl: start"),
            "\(none.output)")
    }

    @Test
    func `every form of a machine is printed, and begins as its format does`() throws {
        for (form, beginning) in [
            ("text", ""), ("json", "{\n"), ("yaml", "devices:\n"), ("svg", "<svg xmlns="), ("dot", "graph machine {"),
            ("nccl", "<system version="),
        ] {
            let ended = try run("topology", "--machine", "azure-nd-a100-v4", "-o", form)
            #expect(ended.status == 0 && ended.output.utf8.count > 500 && !ended.output.contains("\u{1B}"), "\(form)")
            #expect(ended.output.hasPrefix(beginning), "\(form): \(ended.output.prefix(100))")
        }
        let json = try run("simulate", "--machine", "aws-p4d", "--nodes", "3", "-o", "json").output
        #expect(try JSONSerialization.jsonObject(with: Data(json.utf8)) is [String: Any])
    }
}
