// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The options of `nearside-nri`.
package struct DaemonOptions: Sendable {
    /// The folder of `nearside-node`, which is only read.
    package var journal: String
    /// The folder of this program.
    package var states: String
    package var runtime: Runtime
    package var host = Host()
    package var specifications = Specifications()
    package var leases = LeaseClientOptions()
    /// The numbers of virtual functions that physical ones should have.
    package var functionRules: [FunctionRule] = []

    package init(journal: String, states: String, runtime: Runtime) {
        (self.journal, self.states, self.runtime) = (journal, states, runtime)
    }

    /// The container runtime.
    package struct Runtime: Sendable {
        /// Path of the runtime's NRI socket; nil to serve gates alone.
        package var socket: String?
        package var pluginName: String
        /// Two digits: the place among all plugins.
        package var pluginIndex: String
        /// Path of nearside-gate, as the runtime finds it; nil to do without.
        package var gate: String?

        package init(socket: String?, pluginName: String, pluginIndex: String, gate: String?) {
            (self.socket, self.pluginName, self.pluginIndex, self.gate) = (socket, pluginName, pluginIndex, gate)
        }
    }

    /// The host, as this program's container sees it.
    package struct Host: Sendable {
        /// The folder with the files of sysctl(8).
        package var sysctls = "/proc/sys"
        /// The path where sysfs is mounted; for virtual functions it has to be writable.
        package var sysfs = "/sys"
        /// The folder with the host's sys and proc, by which device nodes are checked.
        package var root = "/"
        /// Addresses of the node and of the API server: interfaces that lead to them are not taken.
        package var nodeAddresses: [IPAddress] = []
        package var apiServers: [IPAddress] = []
    }

    /// CDI specifications.
    package struct Specifications: Sendable {
        package var driver = "dra.nearside"
        /// The folder in which runtimes look for specifications.
        package var folder = "/var/run/cdi"
    }
}
