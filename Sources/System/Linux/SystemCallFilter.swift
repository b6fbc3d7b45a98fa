// SPDX-License-Identifier: Apache-2.0

import CLinux

/// A filter of system calls that a program puts on itself (seccomp(2)), beside the one that its container may have.
package enum SystemCallFilter: Sendable {
    /// Refuses what reaches the host beyond its network: mounts, other processes, modules, keys, BPF but the removal of programs, and
    /// namespaces but those of networks.
    case host
    /// Allows only what a DHCP client with open sockets does.
    case leaseClient

    /// Installs the filter on the calling thread and on all threads and processes that it starts, for good.
    package func install() throws(SystemError) {
        try checked("filter", "system calls") { () -> Int32 in
            switch self {
            case .host: CLinux_refuse_host_calls()
            case .leaseClient: CLinux_allow_client_calls()
            }
        }
    }
}
