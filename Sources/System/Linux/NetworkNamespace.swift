// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

/// An open network namespace.
///
/// setns(2) changes one thread. Work inside a namespace runs on a thread that is created for it and ends afterwards
/// (``run(_:entering:)``), or on a ``NamespaceThread``, which returns to its own namespace after each closure or ends.
package struct NetworkNamespace: Sendable {
    package let descriptor: Descriptor
    /// The identity, which is equal for all handles of one namespace.
    package let identity: FileIdentity

    /// Opens a file of a namespace.
    ///
    /// - Throws: ``SystemError`` with EINVAL for a regular file, for example if a mount did not propagate into this container.
    package init(path: String) throws(SystemError) {
        try self.init(Descriptor.open(path, flags: O_RDONLY), name: path)
    }

    /// Takes a descriptor of a namespace.
    package init(_ descriptor: Descriptor, name: String = "network namespace") throws(SystemError) {
        identity = try descriptor.identity()
        guard try identity.device == Self.device.get() else { throw SystemError("use as a network namespace", name, code: EINVAL) }
        self.descriptor = descriptor
    }

    /// The device number of the file system of all namespaces (nsfs). setns(2) checks the type of a namespace.
    private static let device = Result { () throws(SystemError) in
        try Descriptor.open("/proc/thread-self/ns/net", flags: O_RDONLY).identity().device
    }

    /// Opens the namespace of the calling thread.
    package static func current() throws(SystemError) -> NetworkNamespace {
        try NetworkNamespace(path: "/proc/thread-self/ns/net")
    }

    /// Creates an empty namespace, which exists as long as a descriptor or mount refers to it.
    package static func make() throws(SystemError) -> NetworkNamespace {
        let made: Result<NetworkNamespace, SystemError> = try KernelThread.run {
            do throws(SystemError) {
                try checked("make", "network namespace") { CLinux_unshare_network() }
                return .success(try current())
            } catch { return .failure(error) }
        }
        return try made.get()
    }

    /// Runs the closure on a new thread inside this namespace, and waits for it. Sockets opened
    /// there stay bound to the namespace, and other threads can use them later.
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

    /// Runs the closure on a thread inside the namespace, and waits for it.
    package func run<Value>(_ body: @escaping () throws(SystemError) -> Value) throws(SystemError) -> Value {
        try run(body, entering: { $0 })
    }

    /// Returns the path at which this process sees the namespace mounted; nil if there is none.
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
