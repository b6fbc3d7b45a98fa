// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import Inspection
import KubeletAPI
import Linux
import Testbed
import Testing

/// The real nearside-node and the real gate with a malicious nearside-nri.
final class HostileWordsScene {
    let node: TestNode
    private let enemy: FalseDaemon
    /// The answer of an honest daemon to `status`.
    private let features: String
    private var devices: [String] = []
    private(set) var counts: [String: Int] = [:]

    init() throws {
        node = try TestNode.serving()
        let socket = node.scratch("states/nri.sock")
        let features = try ControlClient.ask(.status, socket: socket, timeout: .seconds(10)).line
        self.features = String(features.dropLast())
        try node.addClaim("w")
        devices = try node.prepare("w").map(\.deviceName)
        try node.unprepare("w")
        node.kill(injector: SIGTERM)
        node.dropRuntime()
        enemy = try FalseDaemon(socket) { _ in Array(features.utf8) }
    }

    func run(_ number: Int) throws {
        var random = HostileCases.random(number, seed: 23)
        if number % 4096 == 4095 { HostileCases.shorten(node.scratch("node.log")) }
        let kind =
            switch number % 4 {
            case 0: try runPrepare(["status", "publish"][number / 4 % 2], &random)
            case 1: try runRelease(&random)
            case 2 where number / 4 % 32 == 0: try runGate(&random)
            default: try runQuestion(number, &random)
            }
        counts[kind, default: 0] += 1
        guard node.nodeDaemon?.isRunning == true else {
            throw HostileCases.Broken("nearside-node has ended with \(node.nodeDaemon?.wait() ?? 0)")
        }
        let reply = try ControlClient.ask(NodeRequest.check(.alive), socket: node.scratch("journal/node.sock"), timeout: .seconds(10))
        if let why = reply.refusal { throw HostileCases.Broken("nearside-node is not well: \(why)") }
    }

    private func beHonest() {
        enemy.set { [features] line in Array((line == "status" ? features + "\n" : "ok\n").utf8) }
    }

    /// One hostile answer to a request of this kind, and honest answers to all others.
    private func say(_ bytes: [UInt8], to request: String) {
        enemy.set { [features] line in
            line.hasPrefix(request) ? bytes : Array((line == "status" ? features + "\n" : "ok\n").utf8)
        }
    }

    private func hostile(_ words: [String], _ random: inout SplitMix) -> [UInt8] {
        if Int.random(in: 0..<20, using: &random) == 0 { return [] }
        var mutator = LineMutator(random)
        let bytes = mutator.mutate(words.randomElement(using: &random) ?? "ok")
        return bytes
    }

    private func runPrepare(_ request: String, _ random: inout SplitMix) throws -> String {
        let bytes = hostile([request == "status" ? features : "ok", "error not now"], &random)
        say(bytes, to: request)
        var result = "prepare refused"
        do {
            guard try node.prepare("w").map(\.deviceName) == devices else { throw HostileCases.Broken("Prepare gives other devices") }
            result = "prepare taken"
        } catch let failure as KubeletPeer.Failure { try check(failure, "Prepare") }
        try recover()
        return result
    }

    private func runRelease(_ random: inout SplitMix) throws -> String {
        try node.prepare("w")
        say(hostile(["ok", "error net1 is still in use"], &random), to: "release")
        var result = "release refused"
        do {
            try node.unprepare("w")
            result = "release taken"
        } catch let failure as KubeletPeer.Failure { try check(failure, "Unprepare") }
        try recover()
        return result
    }

    /// With an honest nearside-nri everything works again: no hostile answer is kept.
    private func recover() throws {
        beHonest()
        try node.unprepare("w")
        let left = Files.list(node.scratch("journal/plans")).filter { !$0.hasPrefix(".") }
        if !left.isEmpty { throw HostileCases.Broken("plans are left: \(left)") }
        guard try node.prepare("w").map(\.deviceName) == devices else { throw HostileCases.Broken("Prepare gives other devices") }
        try node.unprepare("w")
    }

    private func check(_ failure: KubeletPeer.Failure, _ call: String) throws {
        guard failure.status == 0 else { throw HostileCases.Broken("\(call) fails as a whole: \(failure)") }
        try HostileCases.check(failure.details, call)
    }

    /// A hostile nearside-nri sends a query.
    private func runQuestion(_ number: Int, _ random: inout SplitMix) throws -> String {
        let lines = ["alive", "ready", "pod default none uid-none", "pod kube-system a.b.c 0f1e2d3c-aaaa-bbbb-cccc-0123456789ab"]
        var mutator = LineMutator(random)
        let bytes = mutator.mutate(lines[number / 4 % lines.count])
        let socket = try UnixSocket.connect(node.scratch("journal/node.sock"), timeout: .seconds(10))
        do { try UnixSocket.send(bytes, to: socket) } catch { return "question cut" }
        guard bytes.contains(0x0a) || bytes.count >= NodeRequest.lineLimit else { return "question without end" }
        try UnixSocket.setTimeout(socket, .seconds(30))
        var answer: [UInt8] = []
        while !answer.contains(0x0a) {
            let (part, _) = try UnixSocket.receive(from: socket)
            if part.isEmpty { throw HostileCases.Broken("no answer to \(String(decoding: bytes.prefix(100), as: UTF8.self))") }
            answer += part
        }
        let text = String(decoding: answer.dropLast(), as: UTF8.self)
        guard text.hasPrefix("error ") else { return "question taken" }
        try HostileCases.check(String(text.dropFirst(6)), "the answer to a question")
        return "question refused"
    }

    /// The gate asks again after an invalid answer; the second answer is valid.
    private func runGate(_ random: inout SplitMix) throws -> String {
        let bytes = hostile(["ok", "error not yet"], &random)
        let count = Counter()
        enemy.set { _ in count.next() == 1 ? bytes : Array("error enough\n".utf8) }
        let command =
            "echo '{\"pid\": \(getpid())}' | \(node.options.programs)/nearside-gate --claim uid-w --socket \(node.scratch("states/nri.sock"))"
        let (status, output) = try ChildProcess.run("/bin/sh", ["-c", command], in: node.host)
        let line = String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
        let isOpen = ControlReply(line: line).map { $0.refusal == nil } ?? false
        guard (status == 0) == isOpen else {
            throw HostileCases.Broken("the gate ends with \(status) after \"\(line.prefix(100))\": \(output.prefix(300))")
        }
        if !isOpen { try HostileCases.check(output.replacing("\n", with: ""), "the gate") }
        return isOpen ? "gate opened" : "gate closed"
    }
}
