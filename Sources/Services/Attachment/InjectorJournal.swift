// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import JournalModel
import Linux
import Logging
import NetworkModel

extension PodInjector {
    /// The namespace an attachment went to, if it still exists.
    static func namespace(of attachment: Attachment) -> NetworkNamespace? {
        let namespace = try? NetworkNamespace(path: attachment.namespacePath)
        return namespace?.identity == attachment.namespace ? namespace : nil
    }

    /// True when the namespace is certainly not there: at its path is nothing, or another one, and it is mounted nowhere else. That it
    /// cannot be opened for another reason says nothing.
    static func isNamespaceGone(_ attachment: Attachment) -> Bool {
        do throws(SystemError) {
            if try NetworkNamespace(path: attachment.namespacePath).identity == attachment.namespace { return false }
        } catch { guard error.isNotFound || error.code == EINVAL else { return false } }
        return NetworkNamespace.mountPath(of: attachment.namespace) == nil
    }

    static func identity(_ path: String) -> FileIdentity? {
        (try? NetworkNamespace(path: path))?.identity
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
        plans.all().filter { $0.phase == .prepared && $0.pods.contains(pod) }.sorted { $0.claim.uid < $1.claim.uid }
    }

    /// A claim that was made for no pod in particular can be used by pods that its plan does not name, and one whose plan was damaged
    /// by who knows which. Then nobody here can say whether this one does, and a guess would start it without its devices.
    ///
    /// A pod in the host's network has no use for a claim's interface: what the node needs to reach the API server does not wait for
    /// lost plans, which only the API server can help with.
    func identify(_ sandbox: Sandbox) throws(InjectionError) {
        guard !sandbox.isStatic else { return }
        let lost = plans.lostClaims()
        if !lost.isSubset(of: self.lost) { known = [] }
        self.lost = lost
        let open = plans.all().filter {
            $0.isOpen == true && $0.phase == .prepared && $0.hasInterfaces && !$0.pods.contains(sandbox.podUID)
                && sandbox.pod.hasPrefix("\($0.claim.namespace)/")
        }
        let candidate =
            open.map(\.claim).min { $0.name < $1.name }.map { "claim \($0)" }
            ?? (sandbox.namespacePath == nil ? nil : lost.min()).map { "the claim with UID \($0), whose plan was damaged" }
        guard let candidate, !known.contains(sandbox.podUID) else { return }
        if let why = lookUp(sandbox) {
            throw InjectionError("pod \(sandbox.pod) may be one of those that use \(candidate), and it cannot be found out: \(why)")
        }
        known.insert(sandbox.podUID)
    }

    func readState(_ uid: String) throws(InjectionError) -> ClaimState? {
        do throws(JournalError) { return try states.state(uid) } catch { throw InjectionError("\(error)") }
    }

    func write(_ state: ClaimState) throws(InjectionError) {
        do throws(JournalError) { try states.write(state) } catch { throw InjectionError("\(error)") }
    }

    func removeState(_ uid: String) throws(InjectionError) {
        do throws(JournalError) { try states.remove(uid) } catch { throw InjectionError("\(error)") }
    }
}
