// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Testbed

/// Instructions for the library of faults (hack/testbed/faults.c).
enum Fault {
    enum Action: Hashable, CustomStringConvertible {
        case killBefore, killAfter, stopBefore, stopAfter, diskFull, count
        /// In milliseconds; the runtime's time-out is two seconds.
        case delay(Int32)
        /// The API server answers with this status, or (0) not at all, or (-1) cuts the connection.
        case noCluster(Int)
        /// Foreign files, or damaged own files, in the journal.
        case damage(Damage)
        case fail(Int32)
        case replaceAnswer(Int32)

        var mode: FaultSwitch.Mode {
            switch self {
            case .killBefore: .killBefore
            case .killAfter: .killAfter
            case .stopBefore: .stopBefore
            case .stopAfter: .stopAfter
            case .fail: .fail
            case .replaceAnswer: .replaceAnswer
            case .diskFull: .diskFull
            case .count, .noCluster, .damage: .count
            case .delay: .delay
            }
        }

        var error: Int32 {
            switch self {
            case .fail(let code), .replaceAnswer(let code), .delay(let code): code
            default: 0
            }
        }

        var description: String {
            switch self {
            case .killBefore: "killed before"
            case .killAfter: "killed after"
            case .stopBefore: "stopped before"
            case .stopAfter: "stopped after"
            case .diskFull: "disk full from"
            case .count: "counting"
            case .delay(let milliseconds): "late by \(milliseconds) ms at"
            case .noCluster(let code): "API server answers \(code) in"
            case .damage(let damage): "\(damage) in"
            case .fail(let code): "error \(code) at"
            case .replaceAnswer(let code): "answer replaced by error \(code) at"
            }
        }
    }

    static let actions: [Action] =
        [.killBefore, .killAfter, .stopBefore, .stopAfter, .diskFull]
        + [100, 1000, 2500, 5000].map { .delay($0) }
        + [EPERM, ENODEV, EBUSY, EEXIST, EINVAL, ENOBUFS, ENOMEM, EOPNOTSUPP].flatMap { [.fail($0), .replaceAnswer($0)] }

    /// Damage to a journal by a disk or an administrator while both daemons run; the last two while nearside-nri does not.
    enum Damage: CaseIterable {
        case foreignFiles, newerFiles, emptyPlan, halfState, foreignState, halfStateUnseen, noStateUnseen
    }

    /// Faults without a step: once for a phase.
    static func actions(of daemon: FaultTests.Daemon, _ phase: FaultTests.Phase) -> [Action] {
        switch (daemon, phase) {
        case (.node, .prepare):
            [.noCluster(500), .noCluster(503), .noCluster(429), .noCluster(-1), .damage(.foreignFiles), .damage(.newerFiles)]
        case (.injector, .attach), (.injector, .detach), (.node, .unprepare): Damage.allCases.map { .damage($0) }
        default: []
        }
    }

    struct Case: CustomStringConvertible {
        var daemon: FaultTests.Daemon
        var phase: FaultTests.Phase
        var action: Action
        var step: Int

        var description: String { "\(daemon.rawValue) in \(phase), \(action) step \(step)" }
    }

    static func arm(_ node: TestNode, _ entry: Case) throws {
        try node.faults(entry.daemon.rawValue).arm(entry.action.mode, step: entry.step, error: entry.action.error)
    }

    /// Changes the journal or the API server according to the case.
    static func damage(_ node: TestNode, _ entry: Case, _ uid: String) throws {
        let (plan, state) = (node.scratch("journal/plans/uid-\(uid).json"), node.scratch("states/states/uid-\(uid).json"))
        func overwrite(_ path: String, _ change: (String) -> String) throws {
            guard Files.exists(path) else { return }
            try Files.write(path, change(try Files.readText(path)))
        }
        switch entry.action {
        case .noCluster(let code):
            node.api.inject(.init("GET", "/apis/resource.k8s.io/", code: code, times: 3))
        case .damage(.foreignFiles):
            for (name, text) in [("\(foreign)1.json", "{"), ("\(foreign)2.json", ""), ("\(foreign)3.json", "[1]"), ("\(foreign)4", "x")] {
                for folder in folders(node) { try Files.write("\(folder)/\(name)", text) }
            }
            for folder in folders(node) { try Files.makeFolder("\(folder)/\(foreign)5.json") }
        case .damage(.newerFiles):
            for folder in folders(node) {
                try Files.write("\(folder)/\(foreign)6.json", "{\"version\": 99, \"claim\": 7}")
            }
        case .damage(.emptyPlan): try overwrite(plan) { _ in "" }
        case .damage(.halfState): try overwrite(state) { String($0.prefix($0.count / 2)) }
        case .damage(.foreignState): try overwrite(state) { _ in "{\"version\": 1}" }
        case .damage(.halfStateUnseen):
            node.kill(injector: SIGKILL)
            try overwrite(state) { String($0.prefix($0.count / 2)) }
        case .damage(.noStateUnseen):
            node.kill(injector: SIGKILL)
            try Files.remove(state)
        default: break
        }
    }

    private static let foreign = "foreign-"

    private static func folders(_ node: TestNode) -> [String] { [node.scratch("journal/plans"), node.scratch("states/states")] }

    static func removeDamage(_ node: TestNode) {
        for folder in folders(node) {
            for name in Files.list(folder) where name.hasPrefix(foreign) || name.hasSuffix(".damaged") {
                ScratchFolder.removeTree("\(folder)/\(name)")
            }
        }
    }
}
