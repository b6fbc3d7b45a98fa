// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// ND GB300 v6, as a machine description.
    static let azureNdGb300 = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "ND GB300 v6",
         "source": "ResourceSlices of a live node in kubernetes-sigs/dranet (Apache-2.0)",
         "note": "The NUMA nodes of the GPUs are unknown, and the NICs are below VMBUS. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}, {"id": 1}],
         "functions": [
          {"address": "0008:06:00.0", "vendor": "10de", "device": "2941", "class": "030200", "path": ["pci0008:00"], "driver": "nvidia"},
          {"address": "0009:06:00.0", "vendor": "10de", "device": "2941", "class": "030200", "path": ["pci0009:00"], "driver": "nvidia"},
          {"address": "0018:06:00.0", "vendor": "10de", "device": "2941", "class": "030200", "path": ["pci0018:00"], "driver": "nvidia"},
          {"address": "0019:06:00.0", "vendor": "10de", "device": "2941", "class": "030200", "path": ["pci0019:00"], "driver": "nvidia"},
          {"address": "0101:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 0, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]},
          {"address": "0102:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 0, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_1", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs1", "major": 231, "minor": 193}]}]},
          {"address": "0103:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 1, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_2", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs2", "major": 231, "minor": 194}]}]},
          {"address": "0104:00:00.0", "vendor": "15b3", "device": "101e", "class": "020700", "numaNode": 1, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_3", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs3", "major": 231, "minor": 195}]}]}
         ]}
        """#
}
