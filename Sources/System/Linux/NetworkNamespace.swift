// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

/// A network namespace, held open.
///
/// `setns` changes one thread. So whatever happens inside a namespace runs on a thread made for it,
/// which ends afterwards and never returns to a pool.
package struct NetworkNamespace: Sendable {
    package let descriptor: Descriptor
    /// Equal for two handles of one namespace.
    package let identity: FileIdentity

    /// Opens a namespace file. An ordinary file in its place (a mount that did not reach this
    /// container) is refused with EINVAL before anything uses it.
    package init(path: String) throws(SystemError) {
        try self.init(Descriptor.open(path, flags: O_RDONLY), name: path)
    }

    package init(_ descriptor: Descriptor, name: String = "network namespace") throws(SystemError) {
        identity = try descriptor.identity()
        guard try identity.device == Self.device.get() else { throw SystemError("use as a network namespace", name, code: EINVAL) }
        self.descriptor = descriptor
    }

    /// The one file system that all namespaces are files of (nsfs). Which sort of namespace it is setns(2) looks at.
    private static let device = Result { () throws(SystemError) in
        try Descriptor.open("/proc/thread-self/ns/net", flags: O_RDONLY).identity().device
    }

    /// The namespace of the calling thread.
    package static func current() throws(SystemError) -> NetworkNamespace {
        try NetworkNamespace(path: "/proc/thread-self/ns/net")
    }

    /// A new, empty namespace, which lives as long as somebody holds it.
    package static func make() throws(SystemError) -> NetworkNamespace {
        let made: Result<NetworkNamespace, SystemError> = try KernelThread.run {
            do throws(SystemError) {
                try checked("make", "network namespace") { CLinux_unshare_network() }
                return .success(try current())
            } catch { return .failure(error) }
        }
        return try made.get()
    }

    /// Runs the closure on a thread of its own inside this namespace, and waits for it. Sockets opened
    /// there stay bound to the namespace and can be used anywhere later.
    package func run<Value, Failure: Error>(
        _ body: @escaping () throws(Failure) -> Value, entering: (SystemError) -> Failure
    ) throws(Failure) -> Value {
        let outcome: Result<Result<Value, Failure>, SystemError>
        do throws(SystemError) {
            outcome = try KernelThread.run {
                do throws(SystemError) {
                    try checked("enter", "network namespace") { CLinux_setns_network(descriptor.raw) }
                } catch { return .failure(error) }
                do throws(Failure) { return .success(.success(try body())) } catch {
                    return .success(.failure(error))
                }
            }
        } catch { throw entering(error) }
        switch outcome {
        case .success(let result): return try result.get()
        case .failure(let error): throw entering(error)
        }
    }

    package func run<Value>(_ body: @escaping () throws(SystemError) -> Value) throws(SystemError) -> Value {
        try run(body, entering: { $0 })
    }

    /// Where the namespace is mounted, as this process sees it; nil when nowhere.
    ///
    /// A line of mountinfo (proc_pid_mountinfo(5)) has the namespace's number as the root of its mount:
    /// `36 25 0:4 net:[4026532281] /run/netns/x rw shared:8 - nsfs nsfs rw`.
    package static func mountPath(of identity: FileIdentity) -> String? {
        guard let mounts = try? Files.readText("/proc/self/mountinfo", limit: 64 << 20) else { return nil }
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 4, fields[3] == "net:[\(identity.inode)]" else { continue }
            let path = String(fields[4])
            if let found = try? NetworkNamespace(path: path), found.identity == identity { return path }
        }
        return nil
    }
}
