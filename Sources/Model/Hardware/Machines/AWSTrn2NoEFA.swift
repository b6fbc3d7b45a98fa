// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// trn2.48xlarge without EFA, as a machine description.
    static let awsTrn2NoEfa = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "trn2.48xlarge without EFA",
         "source": "hwloc capture in the libfabric tests of ai-dynamo/nixl (Apache-2.0)",
         "note": "Launched without EFA interfaces. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0, "distances": [10, 21]}, {"id": 1, "distances": [21, 10]}],
         "functions": [
          {"address": "0000:00:04.0", "vendor": "1d0f", "device": "8061", "class": "010800", "path": ["pci0000:00"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:47:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:00.0"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "enp71s0", "uplink": true}]},
          {"address": "0000:58:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:02.1"], "numaNode": 0, "driver": "neuron"},
          {"address": "0000:59:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:02.2"], "numaNode": 0, "driver": "neuron"},
          {"address": "0000:6e:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:5a", "0000:5a:00.0", "0000:5b:00.0", "0000:5c:02.1"], "numaNode": 0, "driver": "neuron"},
          {"address": "0000:6f:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:5a", "0000:5a:00.0", "0000:5b:00.0", "0000:5c:02.2"], "numaNode": 0, "driver": "neuron"},
          {"address": "0000:84:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:70", "0000:70:00.0", "0000:71:00.0", "0000:72:02.1"], "numaNode": 0, "driver": "neuron"},
          {"address": "0000:85:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:70", "0000:70:00.0", "0000:71:00.0", "0000:72:02.2"], "numaNode": 0, "driver": "neuron"},
          {"address": "0000:9a:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:86", "0000:86:00.0", "0000:87:00.0", "0000:88:02.1"], "numaNode": 0, "driver": "neuron"},
          {"address": "0000:9b:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:86", "0000:86:00.0", "0000:87:00.0", "0000:88:02.2"], "numaNode": 0, "driver": "neuron"},
          {"address": "0000:9f:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:9c", "0000:9c:00.0", "0000:9d:00.0", "0000:9e:00.0"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:a0:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:9c", "0000:9c:00.0", "0000:9d:00.0", "0000:9e:00.1"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:b5:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:a1", "0000:a1:00.0", "0000:a2:00.0", "0000:a3:02.1"], "numaNode": 1, "driver": "neuron"},
          {"address": "0000:b6:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:a1", "0000:a1:00.0", "0000:a2:00.0", "0000:a3:02.2"], "numaNode": 1, "driver": "neuron"},
          {"address": "0000:cb:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:b7", "0000:b7:00.0", "0000:b8:00.0", "0000:b9:02.1"], "numaNode": 1, "driver": "neuron"},
          {"address": "0000:cc:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:b7", "0000:b7:00.0", "0000:b8:00.0", "0000:b9:02.2"], "numaNode": 1, "driver": "neuron"},
          {"address": "0000:e1:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:cd", "0000:cd:00.0", "0000:ce:00.0", "0000:cf:02.1"], "numaNode": 1, "driver": "neuron"},
          {"address": "0000:e2:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:cd", "0000:cd:00.0", "0000:ce:00.0", "0000:cf:02.2"], "numaNode": 1, "driver": "neuron"},
          {"address": "0000:f7:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:e3", "0000:e3:00.0", "0000:e4:00.0", "0000:e5:02.1"], "numaNode": 1, "driver": "neuron"},
          {"address": "0000:f8:00.0", "vendor": "1d0f", "device": "7364", "class": "088000", "path": ["pci0000:e3", "0000:e3:00.0", "0000:e4:00.0", "0000:e5:02.2"], "numaNode": 1, "driver": "neuron"},
          {"address": "0000:fc:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:f9", "0000:f9:00.0", "0000:fa:00.0", "0000:fb:00.0"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:fd:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:f9", "0000:f9:00.0", "0000:fa:00.0", "0000:fb:00.1"], "numaNode": 1, "driver": "nvme"}
         ]}
        """#
}
