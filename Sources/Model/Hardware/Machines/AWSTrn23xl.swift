// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// trn2.3xlarge, as a machine description.
    static let awsTrn23xl = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "trn2.3xlarge",
         "source": "hwloc capture in the libfabric tests of ai-dynamo/nixl (Apache-2.0)",
         "note": "One NIC, which is the uplink. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}],
         "functions": [
          {"address": "0000:00:04.0", "vendor": "1d0f", "device": "8061", "class": "010800", "path": ["pci0000:00"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:27:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:24", "0000:24:00.0", "0000:25:00.0", "0000:26:00.0"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "enp39s0", "uplink": true}]},
          {"address": "0000:33:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:24", "0000:24:00.0", "0000:25:00.0", "0000:26:01.4"], "numaNode": 0, "driver": "neuron"},
          {"address": "0000:37:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:34", "0000:34:00.0", "0000:35:00.0", "0000:36:00.0"], "numaNode": 0, "driver": "nvme"}
         ]}
        """#
}
