// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The options of `nearside-nri`.
package struct DaemonOptions: Sendable {
    /// The folder of `nearside-node`, which this program only reads.
    package var journal: String
    /// The folder of this program.
    package var states: String
    package var runtime: Runtime
    package var host = Host()
    package var specifications = Specifications()
    package var leases = LeaseClientOptions()
    /// The desired numbers of virtual functions of physical functions.
    package var functionRules: [FunctionRule] = []

    package init(journal: String, states: String, runtime: Runtime) {
        (self.journal, self.states, self.runtime) = (journal, states, runtime)
    }

    /// The container runtime.
    package struct Runtime: Sendable {
        /// Path of the runtime's NRI socket; nil to serve only gates.
        package var socket: String?
        package var pluginName: String
        /// The position among the runtime's plugins: two digits.
        package var pluginIndex: String
        /// Path of nearside-gate on the host; nil to disable the gate.
        package var gate: String?

        package init(socket: String?, pluginName: String, pluginIndex: String, gate: String?) {
            (self.socket, self.pluginName, self.pluginIndex, self.gate) = (socket, pluginName, pluginIndex, gate)
        }
    }

    /// The host, as this program's container sees it.
    package struct Host: Sendable {
        /// The folder with the files of sysctl(8).
        package var sysctls = "/proc/sys"
        /// The mount point of sysfs. It must be writable to create virtual functions.
        package var sysfs = "/sys"
        /// The folder with the host's sys and proc, for checks of device nodes.
        package var root = "/"
        /// Addresses of the node and of the API server. Interfaces that lead to them are never attached.
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
