// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Netlink
import NetworkModel
import Testbed
import Testing

/// The form `hostile-tenant`: a pod attacks its interfaces, while a daemon is killed at some step.
extension FaultTests {
    /// The approximate number of actions of a pod: `NEARSIDE_FUZZ` counts actions.
    private static let actions = 200

    @Test(.enabled(if: HostileCases.isWanted("hostile-tenant"), "another form was asked for"))
    func `the host and the next pod get clean interfaces after any action of a pod`() throws {
        let scene = try Scene(.container)
        defer { scene.node.removeAllPods() }
        let rest = Fault.Case(daemon: .node, phase: .prepare, action: .count, step: 0)
        let settings = try HostText.settings(scene.node.host)
        var view = ""
        let look: (NetworkNamespace) throws -> Void = { pod in view = try HostText.atRest { try Self.view(pod) } }
        _ = try scene.run(rest, acting: look)
        let fresh = view
        let names = try scene.node.host.run { () throws(NetlinkError) in
            try NetlinkSocket().links().map(\.name)
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
        let start = ContinuousClock.now
        let asked = HostileCases.asked.map { max(1, $0 / Self.actions) }
        let range = HostileCases.wanted.map { Range($0) } ?? 0..<(asked ?? 10)
        var count = 0
        for number in range {
            var random = HostileCases.random(number, seed: 5)
            let entry = Self.fault(&random)
            var tenant = HostileTenant(random, hostNames: names.filter { $0 != "lo" } + ["lo"])
            let steps = tenant.steps()
            let loop = number % 3 == 0 ? tenant.loop() : []
            do {
                var pod: HostilePod?
                _ = try scene.run(entry) { namespace in
                    let worst = try HostilePod(namespace)
                    pod = worst
                    try worst.act(steps, in: namespace)
                    if !loop.isEmpty { try worst.keepDoing(loop, in: namespace) }
                } leaving: { namespace in
                    try pod?.leave(namespace)
                }
                pod = nil
                let changes = try HostText.changes(since: settings) { try HostText.settings(scene.node.host) }
                if !changes.isEmpty { throw HostileCases.Broken("settings of the host have changed:\n\(changes)") }
                _ = try scene.run(rest, acting: look)
                let difference = HostText.difference(fresh, view)
                if !difference.isEmpty { throw HostileCases.Broken("the next pod sees:\n\(difference)") }
            } catch {
                Issue.record("hostile-tenant \(number), \(entry): \(error)\n\(steps)\n\(loop)\n\(scene.node.log("nri.log").suffix(2500))")
                return
            }
            count += tenant.count
        }
        print("fault cases, hostile-tenant: \(range.count) pods, \(count) actions in \(ContinuousClock.now - start)")
        #expect(count > range.count)
    }

    /// Nil in half of the cases.
    private static func fault(_ random: inout some RandomNumberGenerator) -> Fault.Case {
        let daemon = Daemon.allCases.randomElement(using: &random) ?? .node
        let phase = Phase.allCases.randomElement(using: &random) ?? .detach
        let actions: [Fault.Action] = [.count, .count, .count, .killBefore, .killAfter, .killBefore, .fail(EBUSY)]
        let step = Int.random(in: 1...60, using: &random)
        return Fault.Case(daemon: daemon, phase: phase, action: actions.randomElement(using: &random) ?? .count, step: step)
    }

    /// Everything that a pod can observe of its interfaces.
    private static func view(_ pod: NetworkNamespace) throws -> String {
        var text = try HostText.network(pod) + HostText.settings(pod)
        for name in ["net0", "net1"] {
            text += try ChildProcess.run("/sbin/tc", ["filter", "show", "dev", name, "ingress"], in: pod).output
        }
        return text
    }
}
