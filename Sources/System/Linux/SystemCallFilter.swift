// SPDX-License-Identifier: Apache-2.0

import CLinux

/// A filter of system calls that a program installs for itself (seccomp(2)), in addition to the filter of its container.
package enum SystemCallFilter: Sendable {
    /// Denies access to the host beyond its network: mounts, other processes, modules, keys, BPF except the removal of programs, and
    /// namespaces except those of networks.
    case host
    /// Allows only the system calls of a DHCP client with open sockets.
    case leaseClient

    /// Installs the filter permanently on the calling thread, and on all threads and processes that it starts.
    package func install() throws(SystemError) {
        try checked("filter", "system calls") { () -> Int32 in
            switch self {
            case .host: CLinux_refuse_host_calls()
            case .leaseClient: CLinux_allow_client_calls()
            }
        }
    }
}
