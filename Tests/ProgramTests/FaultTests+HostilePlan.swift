// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Testbed
import Testing

/// The form `hostile-plan`: malicious files and messages of one daemon for the other.
extension FaultTests {
    @Test(.enabled(if: HostileCases.isWanted("hostile-plan"), "another form was asked for"))
    func `nearside-nri answers, and protects other pods and the host, for any file and message of nearside-node`() throws {
        let scene = try HostilePlanScene()
        defer { scene.node.removeAllPods() }
        let start = ContinuousClock.now
        let range = HostileCases.range(sample: 320)
        for number in range {
            do {
                try scene.run(number)
                // Reads a thousand files.
                if number % 1024 == 1023 { try scene.checkSettings() }
            } catch {
                Issue.record("hostile-plan \(number): \(error)\n\(scene.node.log("nri.log").suffix(2500))")
                return
            }
        }
        try scene.checkAll()
        try scene.checkSettings()
        let kinds = scene.counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        print("fault cases, hostile-plan: \(range.count) in \(ContinuousClock.now - start), \(scene.restarts) restarts (\(kinds))")
        if HostileCases.wanted == nil {
            for kind in ["plan attached", "plan refused", "forged plan attached", "forged plan refused", "state taken", "state refused"] {
                #expect(scene.counts[kind] ?? 0 > 0, "no case of the kind \(kind): \(kinds)")
            }
        }
    }

    @Test(.enabled(if: HostileCases.isWanted("hostile-plan"), "another form was asked for"))
    func `nearside-node and the gate survive any message of nearside-nri, and accept only valid replies`() throws {
        let scene = try HostileWordsScene()
        let start = ContinuousClock.now
        let range = HostileCases.range(sample: 400)
        for number in range {
            do { try scene.run(number) } catch {
                Issue.record("words of nearside-nri \(number): \(error)\n\(scene.node.log("node.log").suffix(2500))")
                return
            }
        }
        let kinds = scene.counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        print("fault cases, words of nearside-nri: \(range.count) in \(ContinuousClock.now - start) (\(kinds))")
        if HostileCases.wanted == nil {
            for kind in ["prepare taken", "prepare refused", "release taken", "release refused", "question refused", "gate closed"] {
                #expect(scene.counts[kind] ?? 0 > 0, "no case of the kind \(kind): \(kinds)")
            }
        }
    }
}
