<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" indent="yes"/>
<xsl:key name="by-region" match="order" use="@region"/>
<xsl:template match="orders"><regions><xsl:for-each select="order[generate-id() = generate-id(key('by-region', @region)[1])]"><xsl:sort select="@region"/>
<region name="{@region}" orders="{count(key('by-region', @region))}" qty="{sum(key('by-region', @region)/qty)}"><xsl:for-each select="key('by-region', @region)"><id><xsl:value-of select="@id"/></id></xsl:for-each></region></xsl:for-each></regions></xsl:template>
</xsl:stylesheet>
