// SPDX-License-Identifier: Apache-2.0

import Journal
import Linux
import Logging

extension PodInjector {
    /// The namespace an attachment went to, if it still exists.
    static func namespace(of attachment: Attachment) -> NetworkNamespace? {
        guard let namespace = try? NetworkNamespace(path: attachment.namespacePath),
            (try? namespace.identity()) == attachment.namespace
        else { return nil }
        return namespace
    }

    static func identity(_ path: String) -> FileIdentity? {
        (try? NetworkNamespace(path: path)).flatMap { try? $0.identity() }
    }

    /// The sandbox of a container whose pod the runtime has not told of: after a start of this program it
    /// does not tell before the container that is waiting for us has started.
    static func sandbox(of plan: ClaimPlan, _ identity: FileIdentity) -> Sandbox? {
        guard let path = NetworkNamespace.mountPath(of: identity) else { return nil }
        let pod = plan.pods.first ?? ""
        return Sandbox(id: path, podUID: pod, pod: pod, namespacePath: path)
    }

    // MARK: Journal

    func plans(of pod: String) -> [ClaimPlan] {
        let (plans, damaged) = journal.plans()
        for error in damaged { log.error("plan cannot be used", metadata: ["error": "\(error)"]) }
        return plans.filter { $0.phase == .prepared && $0.pods.contains(pod) }
    }

    func readStates() -> [ClaimState] {
        let (states, damaged) = journal.states()
        for error in damaged { log.error("state cannot be used", metadata: ["error": "\(error)"]) }
        return states
    }

    func readPlan(_ uid: String) throws(InjectionError) -> ClaimPlan? {
        do throws(JournalError) { return try journal.plan(uid) } catch { throw InjectionError("\(error)") }
    }

    func readState(_ uid: String) throws(InjectionError) -> ClaimState? {
        do throws(JournalError) { return try journal.state(uid) } catch { throw InjectionError("\(error)") }
    }

    func write(_ state: ClaimState) throws(InjectionError) {
        do throws(JournalError) { try journal.write(state) } catch { throw InjectionError("\(error)") }
    }

    func removeState(_ uid: String) throws(InjectionError) {
        do throws(JournalError) { try journal.removeState(uid) } catch { throw InjectionError("\(error)") }
    }
}
