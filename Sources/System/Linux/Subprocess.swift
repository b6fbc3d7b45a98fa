// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A child process without any privilege, which is killed with this object, or with the thread that started it.
///
/// ## Concurrency model
/// Used by one thread.
package final class Subprocess {
    /// The confinement of the program.
    package struct Confinement {
        /// Its network namespace.
        package var namespace: NetworkNamespace
        /// The user and the group of the process, which has no capabilities. Neither may be root's.
        package var user: UInt32
        package var group: UInt32
        /// The limits: bytes of address space, and seconds of processor time.
        package var memory: UInt64
        package var seconds: UInt64
        /// The program's descriptors 0, 1, 2, ...; at most 8.
        package var descriptors: [Descriptor]

        package init(
            namespace: NetworkNamespace, user: UInt32, group: UInt32, memory: UInt64, seconds: UInt64, descriptors: [Descriptor]
        ) {
            (self.namespace, self.user, self.group) = (namespace, user, group)
            (self.memory, self.seconds, self.descriptors) = (memory, seconds, descriptors)
        }
    }

    package let identifier: Int32
    /// Becomes readable when the process ends.
    package let end: Descriptor
    private var isReaped = false

    /// Starts a program. A program that cannot be executed ends with status 127.
    ///
    /// - Parameters:
    ///   - words: the arguments, beginning with the program's name.
    ///   - environment: `NAME=VALUE`; the whole environment.
    package init(_ path: String, _ words: [String], environment: [String] = [], _ confinement: Confinement) throws(SystemError) {
        guard confinement.user != 0, confinement.group != 0 else { throw SystemError("start as root", path, code: EINVAL) }
        let child = try checked("start", path) {
            // SAFETY: after fork(2) the child has copies of the texts and descriptors, which live until the call returns.
            unsafe withArguments(words) { arguments in
                unsafe withArguments(environment) { variables in
                    unsafe confinement.descriptors.map(\.raw).withUnsafeBufferPointer { descriptors in
                        var limits = unsafe CLinux_confinement(
                            network: confinement.namespace.descriptor.raw, user: confinement.user, group: confinement.group,
                            memory: confinement.memory, seconds: confinement.seconds, descriptors: descriptors.baseAddress,
                            count: UInt32(clamping: descriptors.count))
                        return unsafe CLinux_spawn_confined(path, arguments, variables, &limits)
                    }
                }
            }
        }
        identifier = child
        do throws(SystemError) {
            end = Descriptor(owning: try checked("watch", "process \(child)") { CLinux_process_descriptor(child) })
        } catch {
            kill(child, SIGKILL)
            waitpid(child, nil, 0)
            throw error
        }
    }

    deinit { stop() }

    /// Sends SIGTERM.
    package func ask() { if !isReaped { kill(identifier, SIGTERM) } }

    /// True if the process has ended.
    package var hasEnded: Bool { isReaped || (try? Poller.readable([end], until: .now))?.isEmpty == false }

    /// Kills the process if it still runs, and waits for its end.
    package func stop() {
        guard !isReaped else { return }
        kill(identifier, SIGKILL)
        var status: Int32 = 0
        while unsafe waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        isReaped = true
    }

    /// Waits until the deadline for the end of programs that were asked to end, all together, and kills the others.
    package static func stop(_ all: [Subprocess], deadline: Deadline) {
        while case let left = all.filter({ !$0.hasEnded }), !left.isEmpty, !deadline.hasPassed {
            _ = try? Poller.readable(left.map(\.end), until: deadline)
        }
        for process in all { process.stop() }
    }
}
