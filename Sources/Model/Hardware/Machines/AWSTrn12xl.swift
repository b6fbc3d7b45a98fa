// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// trn1.2xlarge, as a machine description.
    static let awsTrn12xl = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "trn1.2xlarge",
         "source": "hwloc capture in the libfabric tests of ai-dynamo/nixl (Apache-2.0)",
         "note": "One NIC, which is the uplink. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}],
         "functions": [
          {"address": "0000:00:04.0", "vendor": "1d0f", "device": "8061", "class": "010800", "path": ["pci0000:00"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:00:05.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:00"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "ens5", "uplink": true}]},
          {"address": "0000:00:1e.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:00"], "numaNode": 0, "driver": "neuron"},
          {"address": "0000:00:1f.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:00"], "numaNode": 0, "driver": "nvme"}
         ]}
        """#
}
