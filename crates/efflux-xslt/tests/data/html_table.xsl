<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" indent="yes" encoding="UTF-8"/>
<xsl:template match="/"><html><head><title>Orders</title><meta name="x" content="y"/></head><body><table border="1">
<xsl:for-each select="orders/order"><tr class="{@region}"><td><xsl:value-of select="@id"/></td><td><xsl:value-of select="sku"/></td><td><br/><img src="a.png?x={@id}&amp;y=1"/></td></tr></xsl:for-each>
</table><script>if (a &lt; b &amp;&amp; c) { }</script></body></html></xsl:template>
</xsl:stylesheet>
