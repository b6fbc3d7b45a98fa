// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import Inspection
import Journal
import JournalModel
import Linux
import NRI
import NRIMessages
import Testbed
import Testing

/// The real nearside-nri with a malicious nearside-node, while a pod with an honest claim starts and stops.
final class HostilePlanScene {
    let node: TestNode
    private let enemy: FalseDaemon
    private let journal: JournalFolder
    /// The valid plan and its text, from which the hostile files are derived.
    private let honestPlan: ClaimPlan
    private let honestText: String
    private let honestState: String
    private let victims: [String]
    private var hostile: NRIPodSandbox
    private let good: NRIPodSandbox
    private var isGoodAttached = false
    /// The host with and without the honest pod's interface, and the pod.
    private var expected: [Bool: String] = [:]
    private var expectedPod = ""
    private let hostText: String
    private let settings: String
    private var watched = ""
    private(set) var counts: [String: Int] = [:]
    private(set) var restarts = 0

    private static let devices = ["pci-0000-0c-00-0", "pci-0000-12-00-0", "pci-0000-ba-00-0", "pci-0000-cc-00-0"]

    init() throws {
        let node = try TestNode.serving()
        self.node = node
        try node.addClaim("good", devices: [Self.devices[0]], pod: "pod-good")
        try node.prepare("good")
        try node.addClaim("b", devices: [Self.devices[1], Self.devices[2]], pod: "pod-b", interface: nil)
        try node.prepare("b")
        try node.addClaim("c", devices: [Self.devices[3]], pod: "pod-c")
        try node.prepare("c")
        journal = JournalFolder(node.scratch("journal"), states: node.scratch("states"), for: .node)
        honestText = try Files.readText(node.scratch("journal/plans/uid-b.json"))
        honestPlan = try #require(try journal.plan("uid-b"))
        victims = honestPlan.devices.compactMap { $0.interface?.hostName }
        // A state of an interface that no longer exists: the host must not change.
        let lost = try #require(try journal.plan("uid-c")?.devices.first?.interface?.hostName)
        let pod = try node.makePod("c", uid: "pod-c")
        try node.runtime?.run(pod)
        honestState = try Files.readText(node.scratch("states/states/uid-c.json"))
        try node.runtime?.stop(pod)
        node.removePod(pod)
        try node.unprepare("b")
        try node.unprepare("c")
        node.kill(node: SIGTERM)
        _ = try ChildProcess.run("/sbin/ip", ["link", "delete", lost], in: node.host)
        enemy = try FalseDaemon(node.scratch("journal/node.sock")) { _ in Array("ok\n".utf8) }
        hostile = try node.makePod("b", uid: "pod-b")
        good = try node.makePod("good", uid: "pod-good")
        hostText = try node.hostText()
        settings = try HostText.settings(node.host)
        expected[false] = try HostileCases.text(node.host)
        try attachGood()
        expected[true] = try HostileCases.text(node.host)
        expectedPod = try HostileCases.text(node.namespace(of: good))
        watched = watch()
    }

    /// The files that no plan may make nearside-nri change.
    private func watch() -> String {
        ["host", "plugins", "plugins_registry", "journal/plans"].map { HostileCases.files(node.scratch($0)) }.joined(separator: "\n")
    }

    // MARK: The honest pod

    private func attachGood() throws {
        try answered { try node.runtime?.run(good) }
        try node.runtime?.create(NRIContainer(), in: good)
        let reply = try ask("admit uid-good\n", descriptor: try node.namespace(of: good).descriptor)
        guard reply == "ok" else { throw HostileCases.Broken("the honest pod may not start: \(reply)") }
        isGoodAttached = true
    }

    private func toggleGood() throws {
        guard isGoodAttached else { return try attachGood() }
        try node.runtime?.stop(good)
        isGoodAttached = false
    }

    // MARK: Cases

    /// - Returns: the kind of the case.
    func run(_ number: Int) throws {
        var random = HostileCases.random(number, seed: 17)
        if number % 256 == 255 { try renewPod() }
        if number % 4096 == 4095 { HostileCases.shorten(node.scratch("nri.log")) }
        let uid = "uid-h\(number)"
        let kind: String
        enemy.set { _ in Array("ok\n".utf8) }
        switch number % 8 {
        case 0, 1, 2: kind = try runMutatedPlan(uid, number, &random)
        case 3, 4: kind = try runForgedPlan(uid, number, &random)
        case 5: kind = try runState(uid, number, &random)
        case 6: kind = try runAnswer(uid, number, &random)
        default: kind = try runLine(number, &random)
        }
        counts[kind, default: 0] += 1
        try check(number)
    }

    private func runMutatedPlan(_ uid: String, _ number: Int, _ random: inout SplitMix) throws -> String {
        var mutator = JSONMutator(
            seed: random.next(),
            values: (victims + ["wire0", "net1"]).map { "\"\($0)\"" } + [
                "[\"net1\"]", "\"released\"", "{\"v\":{\"v\":{}}}", "17", "2", "3",
            ])
        try Files.write(plan(uid), mutator.mutate(honestText.replacing("uid-b", with: uid)))
        return try exercise(uid, number).isAttached ? "plan attached" : "plan refused"
    }

    private func runForgedPlan(_ uid: String, _ number: Int, _ random: inout SplitMix) throws -> String {
        var honest = honestPlan
        honest.claim.uid = uid
        var forger = ForgedPlan(random: random, interfaces: victims)
        let forged = forger.forge(honest)
        do throws(JournalError) { try journal.write(forged) } catch {
            // The journal does not write an invalid plan, so that the nearest valid one is written.
            honest.devices[0].interface = forged.devices[0].interface
            _ = try? journal.write(honest)
        }
        return try exercise(uid, number).isAttached ? "forged plan attached" : "forged plan refused"
    }

    /// Starts a pod, its container and its gate, sends all requests, and ends the pod and the claim.
    ///
    /// - Returns: the results of creating the container and of attaching devices.
    private func exercise(_ uid: String, _ number: Int) throws -> (isCreated: Bool, isAttached: Bool) {
        try answered { try node.runtime?.run(hostile) }
        var isCreated = false
        do {
            try node.runtime?.create(NRIContainer(), in: hostile)
            isCreated = true
        } catch let failure as RPCFailure { try HostileCases.check(failure.message, "the container's creation") }
        let isAttached = Files.exists(node.scratch("states/states/\(uid).json"))
        if number % 8 == 0 { try toggleGood() }
        for request in ["publish \(uid)\n", "admit \(uid)\n"] {
            _ = try ask(request, descriptor: try node.namespace(of: hostile).descriptor)
        }
        if number % 2 == 0 { try answered { try node.runtime?.stop(hostile) } }
        let reply = try ask("release \(uid)\n")
        try answered { try node.runtime?.stop(hostile) }
        try removePlan(uid)
        guard try ask("release \(uid)\n") == "ok" else { throw HostileCases.Broken("what was attached is not restored: \(reply)") }
        return (isCreated, isAttached)
    }

    private func runState(_ uid: String, _ number: Int, _ random: inout SplitMix) throws -> String {
        var mutator = JSONMutator(seed: random.next())
        let text = mutator.mutate(honestState.replacing("uid-c", with: uid))
        let file = node.scratch("states/states/\(uid).json")
        try Files.write(file, text)
        if number / 8 % 32 == 0 { try restart() }
        var honest = honestPlan
        honest.claim.uid = uid
        if Bool.random(using: &random) {
            try journal.write(honest)
            do { _ = try exercise(uid, number) } catch {
                guard isNewer(uid) else { throw error }
            }
        }
        let isTaken = try ask("release \(uid)\n") == "ok"
        try removePlan(uid)
        let folder = node.scratch("states/states")
        for name in Files.list(folder) where name.contains(uid) { try Files.remove("\(folder)/\(name)") }
        // A device that is recorded as not restored would be retried forever.
        if !isTaken, try ask("release \(uid)\n") != "ok" {
            try restart()
            for name in Files.list(folder) where name.contains(uid) { try Files.remove("\(folder)/\(name)") }
        }
        return isTaken ? "state taken" : "state refused"
    }

    /// True for a state of a newer version, which only the release that wrote it can restore.
    private func isNewer(_ uid: String) -> Bool {
        do throws(JournalError) {
            _ = try journal.state(uid)
            return false
        } catch { return error.code == .newer }
    }

    /// nearside-nri has an unreadable plan, and queries the attacker for its claims.
    private func runAnswer(_ uid: String, _ number: Int, _ random: inout SplitMix) throws -> String {
        var mutator = LineMutator(random)
        var bytes = mutator.mutate(["ok", "error no such pod", "ok a,b"][number / 8 % 3])
        if number / 8 % 16 == 0 { bytes = [] }
        enemy.set { [bytes] line in line.contains(" pod-good") ? Array("ok\n".utf8) : bytes }
        try Files.write(plan(uid), "{")
        return try exercise(uid, number).isCreated ? "answer taken" : "answer refused"
    }

    private func runLine(_ number: Int, _ random: inout SplitMix) throws -> String {
        var mutator = LineMutator(random)
        let lines = ["status", "publish uid-none", "release uid-none", "admit uid-none", "admit uid-good"]
        let bytes = mutator.mutate(lines[number / 8 % lines.count])
        // Not a network namespace, so that no pod can be attached to it.
        let descriptor: Descriptor? =
            switch number / 8 % 4 {
            case 0: try Descriptor.open("/dev/null", flags: O_RDONLY)
            case 1: try Descriptor.open("/proc/self/ns/mnt", flags: O_RDONLY)
            case 2: try UnixSocket.pair().0
            default: nil
            }
        let socket = try UnixSocket.connect(node.scratch("states/nri.sock"), timeout: .seconds(10))
        // The daemon may reply and close before everything is sent.
        do { try UnixSocket.send(bytes, descriptor: descriptor, to: socket) } catch { return "line cut" }
        let end = bytes.firstIndex(of: 0x0a)
        guard end != nil || bytes.count > ControlRequest.lineLimit else { return "line without end" }
        let reply = try answer(on: socket, to: "\(bytes.prefix(100))")
        return reply.hasPrefix("ok") ? "line taken" : "line refused"
    }

    // MARK: What has to hold

    private func check(_ number: Int) throws {
        guard node.injectorDaemon?.isRunning == true else {
            throw HostileCases.Broken("nearside-nri has ended with \(node.injectorDaemon?.wait() ?? 0)")
        }
        guard try ask("status\n").hasPrefix("ok ") else { throw HostileCases.Broken("status is not well") }
        let wanted = expected[isGoodAttached] ?? ""
        let changes = try HostText.changes(since: wanted) { try HostileCases.text(node.host) }
        if !changes.isEmpty { throw HostileCases.Broken("the host has changed:\n\(changes)") }
        if isGoodAttached {
            let pod = try HostText.changes(since: expectedPod) { try HostileCases.text(node.namespace(of: good)) }
            if !pod.isEmpty { throw HostileCases.Broken("the honest pod has changed:\n\(pod)") }
        }
        for (folder, kept) in [("cdi", 1), ("states/states", isGoodAttached ? 2 : 0), ("states/leases", 0)] {
            let left = Files.list(node.scratch(folder)).filter { !$0.hasPrefix(".") }
            if left.count != kept { throw HostileCases.Broken("\(folder) has \(left)") }
        }
        if number % 64 == 63 { try checkAll() }
    }

    /// The complete output of `ip` and the files; compared between selected cases.
    func checkAll() throws {
        if isGoodAttached { try toggleGood() }
        let changes = try node.changes(since: hostText)
        if !changes.isEmpty { throw HostileCases.Broken("the host has changed:\n\(changes)") }
        let files = HostText.difference(watched, watch())
        if !files.isEmpty { throw HostileCases.Broken("files have changed:\n\(files)") }
        try attachGood()
    }

    func checkSettings() throws {
        if isGoodAttached { try toggleGood() }
        let changes = try HostText.changes(since: settings) { try HostText.settings(node.host) }
        if !changes.isEmpty { throw HostileCases.Broken("settings of the host have changed:\n\(changes)") }
    }

    // MARK: Means

    private func plan(_ uid: String) -> String { node.scratch("journal/plans/\(uid).json") }

    private func removePlan(_ uid: String) throws {
        for name in Files.list(node.scratch("journal/plans")) where name.contains(uid) {
            try Files.remove(node.scratch("journal/plans/\(name)"))
        }
    }

    /// Delivers an event whose refusal is an answer; any other error is the end of the connection.
    private func answered(_ event: () throws -> Void) throws {
        do { try event() } catch let failure as RPCFailure { throw HostileCases.Broken("an event was refused: \(failure.message)") }
    }

    private func ask(_ line: String, descriptor: Descriptor? = nil) throws -> String {
        let socket = try UnixSocket.connect(node.scratch("states/nri.sock"), timeout: .seconds(10))
        try UnixSocket.send(Array(line.utf8), descriptor: descriptor, to: socket)
        return try answer(on: socket, to: line)
    }

    private func answer(on socket: Descriptor, to request: String) throws -> String {
        try UnixSocket.setTimeout(socket, .seconds(10))
        var answer: [UInt8] = []
        while !answer.contains(0x0a) {
            let (bytes, _) = try UnixSocket.receive(from: socket)
            if bytes.isEmpty { throw HostileCases.Broken("no answer to \(request)") }
            answer += bytes
        }
        let text = String(decoding: answer.dropLast(), as: UTF8.self)
        if text.hasPrefix("error ") { try HostileCases.check(String(text.dropFirst(6)), "the answer to \(request.prefix(100))") }
        return text
    }

    private func restart() throws {
        restarts += 1
        node.kill(injector: restarts % 2 == 0 ? SIGKILL : SIGTERM)
        node.dropRuntime()
        try node.startInjector()
        // The runtime reports all pods, and nearside-nri has attached the honest pod's interface by then.
        isGoodAttached = true
    }

    /// Leftovers of the attacker's plans in the pod end with the pod.
    private func renewPod() throws {
        node.removePod(hostile)
        hostile = try node.makePod("b", uid: "pod-b")
    }
}
