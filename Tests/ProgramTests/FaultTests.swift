// SPDX-License-Identifier: Apache-2.0

import Glibc
import Inspection
import Linux
import Testbed
import Testing

/// Each daemon is ended, stopped or refused at every single step of prepare, attach, detach and unprepare. Afterwards no container
/// ran without its devices, and the host is unchanged.
@Suite(
    .serialized,
    .enabled(
        if: Place.canUseNamespaces && FaultSwitch.library != nil, "needs root, namespaces and hack/testbed/faults.c, which hack/test builds"
    )
)
struct FaultTests {
    enum Daemon: String, CaseIterable {
        case node = "nearside-node"
        case injector = "nearside-nri"
    }

    /// In the order of the kubelet and the runtime.
    enum Phase: CaseIterable {
        case prepare, attach, detach, unprepare
    }

    /// A container that references the claim has a gate; a container of which only the pod references it has none. The third form also
    /// waits at the gate for DHCP and DHCPv6 servers.
    enum Form: String, CaseIterable {
        case container, pod, leased
    }

    /// NEARSIDE_FAULTS_FORM=leased: only this form.
    static let forms =
        getenv("NEARSIDE_FAULTS_FORM").map { name in Form.allCases.filter { $0.rawValue == String(cString: name) } }
        ?? Form.allCases

    static let nics = ["pci-0000-0c-00-0", "pci-0000-12-00-0"]

    /// The time budget of the cases in seconds: NEARSIDE_FAULTS=10000 suffices for all. This number of each form is run on the slowest
    /// machine too.
    private static let asked = getenv("NEARSIDE_FAULTS").flatMap { Int(String(cString: $0)) }
    private static let budget = asked ?? 90
    private static let least = 25
    /// NEARSIDE_FAULTS_CASE="nearside-node in prepare, killed before step 4": repeats all cases that contain these words.
    private static let wanted = getenv("NEARSIDE_FAULTS_CASE").map { String(cString: $0) }
    /// NEARSIDE_FAULTS_PART=2/4: the second of four parts of the cases, for parallel runs.
    private static let part: (index: Int, count: Int) = {
        let numbers = getenv("NEARSIDE_FAULTS_PART").map { String(cString: $0).split(separator: "/").compactMap { Int($0) } } ?? []
        return numbers.count == 2 ? (numbers[0] - 1, numbers[1]) : (0, 1)
    }()

    @Test(arguments: forms)
    func `no container runs without its devices, and the host is restored, after a fault at any step`(form: Form) throws {
        let scene = try Scene(form)
        defer { scene.node.removeAllPods() }
        // The number of steps in each daemon and phase.
        var cases: [Fault.Case] = []
        var found: [String] = []
        for daemon in Daemon.allCases {
            for phase in Phase.allCases {
                let steps = try scene.run(Fault.Case(daemon: daemon, phase: phase, action: .count, step: 0))
                found.append("\(daemon.rawValue) in \(phase) \(steps)")
                cases += Fault.actions(of: daemon, phase).map { Fault.Case(daemon: daemon, phase: phase, action: $0, step: 0) }
                for step in stride(from: 1, through: max(1, steps), by: 1) {
                    for action in Fault.actions { cases.append(.init(daemon: daemon, phase: phase, action: action, step: step)) }
                }
            }
        }
        // In a fixed order, so that failures can be reproduced; in a random order with a budget, so that all cases are reached over time.
        let (index, count) = Self.part
        var generator = SplitMix(seed: Self.asked == nil ? 1 : UInt64(time(nil)))
        cases = cases.enumerated().filter { $0.offset % count == index }.map(\.element).shuffled(using: &generator)
        if let wanted = Self.wanted {
            let meant = cases.filter { "\($0)".contains(wanted) }
            cases = (0..<1000).flatMap { _ in meant }
        }
        // One case of each daemon and phase, and every case without a step, runs with any budget.
        var begun: Set<String> = []
        let first = cases.filter { begun.insert("\($0.daemon) \($0.phase)").inserted || $0.step == 0 }
        if Self.wanted == nil { cases = first + cases.filter { $0.step > 0 } }
        let deadline = Deadline.after(.seconds(Self.budget) / Self.forms.count)
        var done = 0
        let least = Self.wanted == nil ? max(Self.least, first.count + 1) : Self.least
        for entry in cases where done < least || !deadline.hasPassed {
            do { _ = try scene.run(entry) } catch {
                Issue.record("\(form) \(entry): \(error)\n\(scene.node.log("nri.log").suffix(1500))")
                return
            }
            done += 1
        }
        print("fault cases, \(form): \(done) of \(cases.count) (steps: \(found.joined(separator: ", ")))")
        #expect(done >= min(least, cases.count))
        // No descriptor of an ended pod stays open.
        let rest = Fault.Case(daemon: .node, phase: .prepare, action: .count, step: 0)
        for _ in 0..<3 { _ = try scene.run(rest) }
        let open = scene.openDescriptors()
        for _ in 0..<5 { _ = try scene.run(rest) }
        // A thread of the pool may have ended, together with its socket.
        let isKept = eventually { zip(scene.openDescriptors(), open).allSatisfy { $0 <= $1 } }
        #expect(isKept, "\(scene.openDescriptors()) and not \(open)")
        #expect(scene.openConnections() <= 8)
    }
}
